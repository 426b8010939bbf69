-- Who works. On the home shard; shared by the scripts about workers.
local WORKER = P .. ':worker:'

-- The worker is given up or left: it holds no lease, and its tasks, if any are left, wait for a rescuer.
local function end_worker(key, time)
    if call('ZREM', WORKER .. 'leases', key) == 0 then
        return
    end
    local name = call('HGET', WORKER .. 'names', key)
    if name and call('HGET', WORKER .. 'ids', name) == key then
        call('HDEL', WORKER .. 'ids', name)
    end
    call('HDEL', WORKER .. 'names', key)
    call('HDEL', WORKER .. 'info', key)
    call('ZADD', WORKER .. 'gone', digits(time), key)
end

local function until_when(time, lease)
    return digits(math.min(time + tonumber(lease), 9007199254740991))
end
