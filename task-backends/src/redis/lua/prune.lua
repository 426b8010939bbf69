-- Deletes finished tasks of one segment of the log.
--   ARGV: clock; behind this segment or ''; successful ones that ended until then; the same for failed and
--         canceled ones; 1 to count only; queues as JSON, an empty list for all
--   Answer: how many, the segment to go on behind or '' when there is nothing more that is old enough.
local segment
if ARGV[2] == '' then
    segment = call('ZRANGE', LOGS, 0, 0)[1]
else
    segment = call('ZRANGEBYSCORE', LOGS, '(' .. ARGV[2], '+inf', 'LIMIT', 0, 1)[1]
end
if not segment then
    return { 0, '' }
end
local successful, other = tonumber(ARGV[3]), tonumber(ARGV[4])
local queues, of_queue = cjson.decode(ARGV[6]), {}
for _, queue in ipairs(queues) do
    of_queue[queue] = true
end
local ids, log = {}, call('GET', LOG .. segment)
for at = 1, #log, 16 do
    ids[#ids + 1] = sub(log, at, at + 15)
end
local bodies, results = values(TASK, ids), values(RESULT, ids)
local old, kept, counts, is_too_young = {}, {}, {}, false
for i, id in ipairs(ids) do
    local is_old = not bodies[i]
    if bodies[i] then
        local _, at, _, _, _, _, _, queue = head(bodies[i])
        queue = queue or call('HGET', DAMAGED, id) or nil
        -- Tasks are numbered as they arrive, and none ends before it arrived.
        is_too_young = is_too_young or (at or 0) > math.max(successful, other)
        if results[i] then
            local status, _, _, _, ended = struct.unpack('>BI8I4I8I8', results[i])
            is_old = ended <= (status == SUCCESSFUL and successful or other) and (not queues[1] or of_queue[queue])
            if is_old then
                if queue then
                    for _, field in ipairs({ status .. queue, ALL .. queue }) do
                        counts[field] = (counts[field] or 0) - 1
                    end
                end
                old[#old + 1] = id
            end
        end
    end
    if not is_old then
        kept[#kept + 1] = id
    end
end
if ARGV[5] ~= '1' then
    if old[1] then
        local keys, gone = call('EXISTS', KEY_OF) == 1 and values(KEY_OF, old) or {}, {}
        for i, id in ipairs(old) do
            if keys[i] and sub(call('HGET', UNIQUE, keys[i]) or '', 1, 16) == id then
                gone[#gone + 1] = keys[i]
            end
        end
        if gone[1] then
            bulk('HDEL', UNIQUE, gone)
        end
        for _, key in ipairs({ TASK, RESULT, HISTORY, DAMAGED, KEY_OF, WANTED_BY }) do
            bulk('HDEL', key, old)
        end
        for _, status in ipairs({ FAILED, CANCELED }) do
            bulk('ZREM', ENDED .. status, old)
        end
        count_many(counts)
    end
    if not kept[1] then
        call('DEL', LOG .. segment)
        call('ZREM', LOGS, segment)
    elseif #kept < #ids then
        call('SET', LOG .. segment, table.concat(kept))
    end
end
return { #old, is_too_young and '' or segment }
