-- Takes the first tasks of a worker's lanes and writes down who has them.
--   ARGV: clock; worker; its name, '' to look for it on this shard; batch, a number never used before;
--         at most so many; how many start at once; positions in the batch (4 bytes each) or '' for 0, 1, 2 ..;
--         wish as JSON
--   Answer: 0 when the worker is gone, 2 when there was much to put apart and it is to be asked again, else now, when the next scheduled task is due or '', the ids in one,
--           the tasks, their positions if they were given, and number, history of each that ran before.
--   A batch is claimed once: sent again, the call is answered with what the batch still has.
local time, worker, name, batch = now(), ARGV[2], ARGV[3], ARGV[4]
if name == '' then
    name = call('HGET', P .. ':worker:names', worker)
    if not name then
        return 0
    end
end
local ids, positions = {}, ARGV[7]
local held = call('HGET', HELD, batch)
if held then
    for at = 1, #held, 16 do
        ids[#ids + 1] = sub(held, at, at + 15)
    end
else
    promote(time, 1000)
    local limit = tonumber(ARGV[5])
    local taken, touched, is_early = { n = 0 }, {}, false
    if limit > 0 then
        taken, touched, is_early = select_first(limit, wish(ARGV[8]))
    end
    if is_early and taken.n == 0 then
        tell()
        return 2
    end
    local running, fence = {}, be8(tonumber(batch))
    for i = 1, taken.n do
        local id = sub(taken.member[i], 9, 24)
        local position = positions == '' and struct.pack('>I4', i - 1) or sub(positions, 4 * i - 3, 4 * i)
        ids[i] = id
        running[2 * i - 1] = id
        running[2 * i] = fence .. position .. taken.lane[i]
    end
    take_away(touched)
    bulk('HSET', RUNNING, running)
end
local histories = {}
if ids[1] and call('EXISTS', HISTORY) == 1 then
    for i, history in ipairs(values(HISTORY, ids)) do
        if history then
            histories[#histories + 1] = tostring(i)
            histories[#histories + 1] = history
        end
    end
end
if ids[1] and not held then
    -- Where something ran before, the worker says of each batch how far it was started.
    local started = histories[1] and 0 or math.min(tonumber(ARGV[6]), 4294967295)
    call('HSET', CLAIM, batch, struct.pack('>I8I8I4', tonumber(worker), time, started) .. name)
    call('HSET', LEFT, batch, #ids)
    call('HSET', HELD, batch, table.concat(ids))
end
tell()
local first = call('ZRANGE', SCHEDULED, 0, 0, 'WITHSCORES')
return { digits(time), first[2] or '', table.concat(ids), values(TASK, ids), positions, histories }
