-- A part of a page of tasks, the one that arrived last first: from one segment of the log, or from the index of
-- those that failed, were canceled or run.
--   ARGV: clock; below this seq; at most so many; filter as JSON: statuses (1 to 3, 0 waiting, 4 running),
--         queues, names, of which empty lists select everything
--   Answer: where to go on or '', then rows.
local below, most = tonumber(ARGV[2]), tonumber(ARGV[3])
local filter = cjson.decode(ARGV[4])

local function test(list)
    local all = {}
    for _, value in ipairs(list) do
        all[value] = true
    end
    return function(value)
        return list[1] == nil or all[value] == true
    end
end

local is_status, is_queue, is_name = test(filter.statuses), test(filter.queues), test(filter.names)
local by_index = filter.statuses[1] ~= nil
for _, status in ipairs(filter.statuses) do
    by_index = by_index and status >= FAILED
end

-- Ids to look at, and below which seq to go on when all of them have been looked at.
local function candidates()
    local ids = {}
    if by_index then
        local rest = ''
        for _, status in ipairs(filter.statuses) do
            if status == 4 then
                for _, id in ipairs(call('HKEYS', RUNNING)) do
                    ids[#ids + 1] = id
                end
            else
                local found = call('ZREVRANGEBYSCORE', ENDED .. status, '(' .. ARGV[2], '-inf', 'WITHSCORES', 'LIMIT', 0, most)
                for i = 1, #found, 2 do
                    ids[#ids + 1] = found[i]
                end
                -- Of an index that has more, nothing below its last one is known.
                if #found == 2 * most and (rest == '' or tonumber(found[#found]) > tonumber(rest)) then
                    rest = found[#found]
                end
            end
        end
        return ids, rest
    end
    local segment = call('ZREVRANGEBYSCORE', LOGS, digits(floor((below - 1) / SEGMENT)), '-inf', 'LIMIT', 0, 1)[1]
    if not segment then
        return ids, ''
    end
    local log = call('GET', LOG .. segment)
    for at = 1, #log, 16 do
        ids[#ids + 1] = sub(log, at, at + 15)
    end
    return ids, digits(tonumber(segment) * SEGMENT)
end

-- Those in one of the wanted states.
local function in_state(ids)
    local fitting, ends = {}, {}
    for i, result in ipairs(values(RESULT, ids)) do
        local status = 0
        if result then
            status = struct.unpack('B', result)
        elseif filter.statuses[1] and call('HEXISTS', RUNNING, ids[i]) == 1 then
            status = 4
        end
        if is_status(status) then
            fitting[#fitting + 1] = ids[i]
            ends[#fitting] = result
        end
    end
    return fitting, ends
end

local all, rest = candidates()
local ids, results = in_state(all)
local bodies = values(TASK, ids)
local found, lowest = {}, by_index and rest ~= '' and tonumber(rest) or 0
for i, body in ipairs(bodies) do
    if body then
        local seq, _, _, _, _, _, _, queue, name = head(body)
        if seq and seq < below and seq >= lowest and is_queue(queue) and is_name(name) then
            found[#found + 1] = { seq = seq, i = i }
        end
    end
end
table.sort(found, function(one, other)
    return one.seq > other.seq
end)
if #found > most then
    rest = digits(found[most].seq)
end
local answer = { rest }
for place = 1, math.min(#found, most) do
    local i = found[place].i
    answer[place + 1] = row(ids[i], bodies[i], results[i])
end
return answer
