-- Takes the tasks that workers hold who are gone, so many at most, and lets them run again.
--   ARGV: clock; at most so many; workers that are gone
--   Answer: how many wait again, the ids of those that ended instead.
local time, limit = now(), tonumber(ARGV[2])
local is_gone, batches = {}, {}
for i = 3, #ARGV do
    is_gone[ARGV[i]] = true
end
local claims = call('HGETALL', CLAIM)
for i = 1, #claims, 2 do
    if is_gone[digits(struct.unpack('>I8', claims[i + 1]))] then
        batches[#batches + 1] = tonumber(claims[i])
    end
end
table.sort(batches)

local function lost(name, times, max_lost)
    local message = 'the worker ' .. name .. ' was lost while the task ran'
    if max_lost == 0 then
        message = message .. ', and it may not run twice (max_lost = 0)'
    elseif times > max_lost then
        message = message .. '; that makes ' .. times .. ', and max_lost is ' .. max_lost
    end
    return cjson.encode({ kind = 'worker_lost', message = message })
end

local returned, ended = 0, {}
for _, number in ipairs(batches) do
    local batch, batch8 = digits(number), be8(number)
    local _, began, started, name = read_claim(batch)
    local held, rest, taken = call('HGET', HELD, batch), {}, 0
    for at = 1, #held, 16 do
        local id = sub(held, at, at + 15)
        local running = call('HGET', RUNNING, id)
        if running and sub(running, 1, 8) == batch8 then
            if returned + #ended == limit then
                rest[#rest + 1] = id
            else
                local _, _, _, _, _, max_attempts, max_lost = struct.unpack(HEAD, call('HGET', TASK, id))
                local attempt, last, losses = read_history(id)
                attempt, last, losses = attempt or 0, last or max_attempts, losses or 0
                local what
                if struct.unpack('>I4', running, 9) < started then
                    what = struct.pack('>I4I8I8', attempt + 1, began, time) .. lost(name, losses + 1, max_lost)
                end
                if put_back(id, name, time, attempt, last, what, true) then
                    returned = returned + 1
                else
                    ended[#ended + 1] = id
                end
                taken = taken + 1
            end
        end
    end
    if rest[1] then
        call('HSET', HELD, batch, table.concat(rest))
        leave_batch(batch, taken)
    else
        leave_batch(batch, 9007199254740991)
    end
    if returned + #ended == limit then
        break
    end
end
woke = woke or returned > 0
tell()
return { returned, ended }
