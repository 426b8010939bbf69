-- How the tasks of several calls are stored: all of a call or none of it. Shared by enqueue and staged.
--   Arguments: clock; sender; number of the sender's call; first seq and how far behind it each task's own is
--              (8 bytes, then 4 each) or '' (then the shard counts); lanes n, then n times rank, lane; calls n,
--              then n times how many tasks; per task id, packed body, number of the lane (below zero: with a
--              due time), behind it of a unique task `u`, key, mode (0 until started, 1 until ended, 2 for a
--              time) and that time in microseconds (16, 1 and 8 bytes)
local SENDERS, STAGED, STAGES = P .. ':senders', P .. ':staged', P .. ':stages'

-- Which calls have an id that is taken, and all ids.
local function taken(args, lanes, calls)
    local ids, refused, at = {}, {}, 6 + 2 * lanes + calls
    for i = at + 1, #args, 3 do
        ids[#ids + 1] = args[i]
    end
    local place = 0
    local stored = values(TASK, ids)
    for number = 1, calls do
        for _ = 1, tonumber(args[6 + 2 * lanes + number]) do
            place = place + 1
            if stored[place] then
                refused[number] = true
            end
        end
    end
    return ids, refused, at
end

-- Appends ids to the log, in which tasks stand in the order of their arrival.
local function log(ids, seqs)
    local from = 1
    while from <= #ids do
        local segment = floor(seqs[from] / SEGMENT)
        local to = from
        while to < #ids and floor(seqs[to + 1] / SEGMENT) == segment do
            to = to + 1
        end
        call('APPEND', LOG .. segment, table.concat(ids, '', from, to))
        call('ZADD', LOGS, segment, segment)
        from = to + 1
    end
end

local function store(args, time, seq, ids, refused, held_by, at, lanes, calls)
    local given = args[4] ~= '' and args[4]
    local time8, due_now = be8(time), digits(time)
    local bodies, kept, seqs, place = {}, {}, {}, 0
    local ready, arrived, of_all = {}, {}, {}
    for number = 1, calls do
        local tasks = tonumber(args[6 + 2 * lanes + number])
        if refused[number] then
            place = place + tasks
        else
            for _ = 1, tasks do
                place = place + 1
                local id, body, lane = ids[place], args[at + 3 * place - 1], args[at + 3 * place]
                if not held_by[place] then
                    if #lane > 25 then
                        lane = sub(lane, 1, #lane - 26)
                    end
                    local own = seq + (given and struct.unpack('>I4', given, 5 + 4 * place) or place - 1)
                    local own8 = be8(own)
                    bodies[#bodies + 1] = id
                    bodies[#bodies + 1] = own8 .. time8 .. body
                    kept[#kept + 1] = id
                    seqs[#seqs + 1] = own
                    local due = time
                    if sub(lane, 1, 1) == '-' then
                        lane = sub(lane, 2)
                        due = first_due(time, struct.unpack('>bi8', body, 2))
                    end
                    local all = of_all[lane]
                    if not all then
                        all = ALL .. queue_of(args[5 + 2 * lane])
                        of_all[lane] = all
                    end
                    arrived[all] = (arrived[all] or 0) + 1
                    if due > time then
                        add_scheduled(due, own8 .. id, tonumber(args[4 + 2 * lane]), args[5 + 2 * lane])
                    else
                        local list = ready[lane]
                        if not list then
                            list = {}
                            ready[lane] = list
                        end
                        list[#list + 1] = due_now
                        list[#list + 1] = own8 .. id
                    end
                end
            end
        end
    end
    bulk('HSET', TASK, bodies)
    for lane, list in pairs(ready) do
        add_ready(args[4 + 2 * lane], args[5 + 2 * lane], list)
    end
    count_many(arrived)
    log(kept, seqs)
end

-- Stores what these arguments say, and answers.
local function run(args, time)
    local lanes = tonumber(args[5])
    local calls = tonumber(args[6 + 2 * lanes])
    local ids, refused, at = taken(args, lanes, calls)
    local seq = args[4] ~= '' and struct.unpack('>I8', args[4]) or call('INCRBY', P .. ':seq', #ids) - #ids + 1
    local held_by = take_keys(args, time, ids, refused, at, calls, lanes)
    store(args, time, seq, ids, refused, held_by, at, lanes, calls)
    local answer = { digits(time), digits(seq) }
    for number in pairs(refused) do
        answer[#answer + 1] = tostring(number)
    end
    for place, holder in pairs(held_by) do
        answer[#answer + 1] = 'u' .. struct.pack('>I4', place) .. holder
    end
    tell()
    return answer
end
