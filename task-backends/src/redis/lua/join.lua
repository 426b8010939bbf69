-- Makes a worker known and starts its lease. On the home shard.
--   ARGV: clock; name; lease in microseconds; what it says of itself as JSON; a number of this call
--   Answer: 1, its key | 0, what the living worker of this name says of itself.
local time, name = now(), ARGV[2]
local key = call('HGET', WORKER .. 'ids', name)
if key then
    local info = call('HGET', WORKER .. 'info', key)
    if sub(info, 1, #ARGV[5]) == ARGV[5] then
        return { 1, key } -- this very call, sent twice
    elseif tonumber(call('ZSCORE', WORKER .. 'leases', key)) >= time then
        return { 0, sub(info, #ARGV[5] + 17) }
    end
    end_worker(key, time)
end
-- Never given twice, also when the server lost its last moments: keys follow its time.
key = digits(math.max(tonumber(call('GET', P .. ':workers') or 0) + 1, time))
call('SET', P .. ':workers', key)
call('ZADD', WORKER .. 'leases', until_when(time, ARGV[3]), key)
call('HSET', WORKER .. 'ids', name, key)
call('HSET', WORKER .. 'names', key, name)
call('HSET', WORKER .. 'info', key, ARGV[5] .. format('%016.0f', time) .. ARGV[4])
return { 1, key }
