-- Writes down how attempts ended and how far batches were started.
--   ARGV: clock; marks n, then n times batch, position below which tasks may have begun;
--         successes n, then n times id, batch (8 bytes), packed result;
--         others n, then n times id, batch (8 bytes), seq, `F` final or `R` retry, packed result (of a retry:
--         the one it has if somebody asked for its end), packed attempt, due time (8 bytes), attempt, last attempt
--   Answer: numbers of the ends that were refused, successes counted before others.
--   An end counts while the task is held by its batch. One that was written before is not refused.
local held_by, left, lanes, refused = {}, {}, {}, {}
local at = 3 + 2 * tonumber(ARGV[2])

local function holder(batch8)
    local name = held_by[batch8]
    if not name then
        local _, _, _, found = read_claim(digits(struct.unpack('>I8', batch8)))
        name = found or ''
        held_by[batch8] = name
    end
    return name
end

-- Whether this end was told before: its result or an attempt in its history is of this batch.
local function is_told(id, batch8)
    local result = call('HGET', RESULT, id)
    if result and sub(result, 2, 9) == batch8 then
        return true
    end
    local history, from = call('HGET', HISTORY, id) or '', 21
    while from < #history do
        local length, name = struct.unpack('>I4B', history, from)
        if sub(history, from + 5 + name, from + 12 + name) == batch8 then
            return true
        end
        from = from + 4 + length
    end
    return false
end

local function ends(first, step, many)
    local ids = {}
    for i = 1, many do
        ids[i] = ARGV[first + (i - 1) * step]
    end
    return ids
end

local function take_from(batch8)
    left[batch8] = (left[batch8] or 0) + 1
end

for i = 3, at - 1, 2 do
    local worker, time, started, name = read_claim(ARGV[i])
    if worker and tonumber(ARGV[i + 1]) > started then
        local claim = struct.pack('>I8I8I4', worker, time, tonumber(ARGV[i + 1])) .. name
        call('HSET', CLAIM, ARGV[i], claim)
    end
end

local successes = tonumber(ARGV[at])
local first = at + 1
local ids = ends(first, 3, successes)
local gone, results = {}, {}
for i, running in ipairs(values(RUNNING, ids)) do
    local id, batch8 = ids[i], ARGV[first + 3 * i - 2]
    if running and sub(running, 1, 8) == batch8 then
        local name = holder(batch8)
        gone[#gone + 1] = id
        results[#results + 1] = id
        results[#results + 1] = ARGV[first + 3 * i - 1] .. name .. string.char(#name)
        local lane = sub(running, 13)
        lanes[lane] = (lanes[lane] or 0) + 1
        take_from(batch8)
    elseif not is_told(id, batch8) then
        refused[#refused + 1] = i
    end
end
bulk('HSET', RESULT, results)
local counts = {}
for lane, many in pairs(lanes) do
    local field = SUCCESSFUL .. queue_of(lane)
    counts[field] = (counts[field] or 0) + many
end
count_many(counts)

first = first + 3 * successes + 1
local others = tonumber(ARGV[first - 1])
for i = 1, others do
    local id, batch8, seq, kind, result, attempt, due8, number, last = unpack(ARGV, first + 9 * i - 9, first + 9 * i - 1)
    local running = call('HGET', RUNNING, id)
    if running and sub(running, 1, 8) == batch8 then
        local queue, name = queue_of(sub(running, 13)), holder(batch8)
        local _, before, losses, due, entries = read_history(id)
        entries = (entries or '') .. entry(name, batch8 .. attempt)
        gone[#gone + 1] = id
        take_from(batch8)
        if kind == 'R' and call('SISMEMBER', CANCEL, id) == 0 then
            write_history(id, tonumber(number), tonumber(last), losses or 0, due8, entries)
            local _, _, rank = head(call('HGET', TASK, id))
            add_scheduled(struct.unpack('>i8', due8), be8(tonumber(seq)) .. id, rank or 0, sub(running, 13))
        else
            write_history(id, tonumber(number), before or tonumber(last), losses or 0, due or NOT_RESCHEDULED, entries)
            if not head(call('HGET', TASK, id)) then
                call('HSET', DAMAGED, id, queue)
            end
            local status = struct.unpack('B', result)
            if call('SISMEMBER', CANCEL, id) == 1 then
                status = CANCELED
            end
            write_result(id, tonumber(seq), status, queue, string.char(status) .. sub(result, 2), name)
        end
    elseif not is_told(id, batch8) then
        refused[#refused + 1] = successes + i
    end
end
if gone[1] then
    bulk('HDEL', RUNNING, gone)
    if call('EXISTS', CANCEL) == 1 then
        bulk('SREM', CANCEL, gone)
    end
    for batch8, many in pairs(left) do
        leave_batch(digits(struct.unpack('>I8', batch8)), many)
    end
    changed = true
end
tell()
return refused
