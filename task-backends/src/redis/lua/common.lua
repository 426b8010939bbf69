-- What every script begins with. KEYS[1] is the tag of one shard, `{prefix:number}`: every key that a
-- script touches begins with it and so lies on the same hash slot. ARGV[1] is the clock: `+n` is the
-- server's time and n microseconds, `=n` is that time. Times are microseconds, exact in a double until 2255.
local P, call = KEYS[1], redis.call
local TASK, RESULT, HISTORY, RUNNING = P .. ':task', P .. ':result', P .. ':history', P .. ':running'
local CLAIM, HELD, LEFT, CANCEL = P .. ':claim', P .. ':held', P .. ':left', P .. ':cancel'
local SCHEDULED, RANKS, COUNT, LOGS = P .. ':scheduled', P .. ':ranks', P .. ':count', P .. ':logs'
local READY, HEADS, ENDED, LOG = P .. ':ready:', P .. ':heads:', P .. ':ended:', P .. ':log:'
local SUCCESSFUL, FAILED, CANCELED = 1, 2, 3
local SEGMENT = 512
local LATEST = 253402207200000000
local sub, format, floor = string.sub, string.format, math.floor

local function now()
    if sub(ARGV[1], 1, 1) == '=' then
        return tonumber(sub(ARGV[1], 2))
    end
    local time = call('TIME')
    return time[1] * 1000000 + time[2] + tonumber(ARGV[1])
end

local function digits(number)
    return format('%.0f', number)
end

local function be8(number)
    return struct.pack('>I8', number)
end

-- One command for many arguments; pairs stay together.
local function bulk(command, key, list)
    for i = 1, #list, 4000 do
        call(command, key, unpack(list, i, math.min(i + 3999, #list)))
    end
end

-- The values of these fields, in their order.
local function values(key, fields)
    if #fields == 0 then
        return {}
    elseif #fields <= 4000 then
        return call('HMGET', key, unpack(fields))
    end
    local all = {}
    for i = 1, #fields, 4000 do
        for _, value in ipairs(call('HMGET', key, unpack(fields, i, math.min(i + 3999, #fields)))) do
            all[#all + 1] = value
        end
    end
    return all
end

-- seq, enqueued_at, rank, kind of due time, due time or delay, max_attempts, max_lost, queue, name
local HEAD = '>I8I8bbi8I4I4Bc0Hc0'

-- The head of a task; nothing of one that is damaged.
local function head(body)
    if body and #body >= 38 and pcall(struct.unpack, HEAD, body) then
        return struct.unpack(HEAD, body)
    end
end

local function lane_of(queue, name)
    return queue .. '\31' .. name
end

local function queue_of(lane)
    return sub(lane, 1, string.find(lane, '\31', 1, true) - 1)
end

-- When a task of this head is due that nothing has rescheduled.
local function first_due(at, kind, given)
    if kind == 1 then
        return math.max(at, given)
    elseif kind == 2 then
        return math.min(at + given, LATEST)
    end
    return at
end

local woke, changed = false, false

-- Tells workers that there may be something to claim, and those who wait for a result to look.
local function tell()
    if woke or changed then
        local prefix = string.match(P, '^{(.*):%d+}$')
        if woke then
            call('PUBLISH', prefix .. ':ready', '')
        end
        if changed then
            call('PUBLISH', prefix .. ':changed', '')
        end
    end
end

local function first_of(rank, lane)
    return call('ZRANGE', READY .. rank .. ':' .. lane, 0, 0, 'WITHSCORES')
end

-- The index of lanes has the due time and the number of the first task of every lane that has one: after a
-- change of a lane whose first task was `before`, or nil, it is put right.
local function set_head(rank, lane, before)
    local first = first_of(rank, lane)
    if first[1] == before then
        return
    end
    if before then
        call('ZREM', HEADS .. rank, sub(before, 1, 8) .. lane)
    end
    if first[1] then
        call('ZADD', HEADS .. rank, first[2], sub(first[1], 1, 8) .. lane)
        if not before then
            call('ZADD', RANKS, rank, rank)
        end
    elseif call('EXISTS', HEADS .. rank) == 0 then
        call('ZREM', RANKS, rank)
    end
end

-- Puts tasks into a lane: a list of due time, member, due time, member .., the earliest in front.
local function add_ready(rank, lane, list)
    local before = first_of(rank, lane)
    woke = woke or not before[1]
    bulk('ZADD', READY .. rank .. ':' .. lane, list)
    if not before[1] or tonumber(list[1]) <= tonumber(before[2]) then
        set_head(rank, lane, before[1])
    end
end

local function add_scheduled(due, member, queue)
    local first = call('ZRANGE', SCHEDULED, 0, 0, 'WITHSCORES')
    woke = woke or not first[1] or due < tonumber(first[2])
    call('ZADD', SCHEDULED, digits(due), member)
    call('HINCRBY', COUNT, '0' .. queue, 1)
end

local function count(status, queue, by)
    if call('HINCRBY', COUNT, status .. queue, by) == 0 then
        call('HDEL', COUNT, status .. queue)
    end
end

-- So many tasks left this batch; a batch with none left is forgotten.
local function leave_batch(batch, tasks)
    if call('HINCRBY', LEFT, batch, -tasks) <= 0 then
        call('HDEL', CLAIM, batch)
        call('HDEL', HELD, batch)
        call('HDEL', LEFT, batch)
    end
end

-- A claim's worker, time, mark of what may have begun, and worker's name.
local function read_claim(batch)
    local claim = call('HGET', CLAIM, batch)
    if claim then
        local worker, at, started = struct.unpack('>I8I8I4', claim)
        return worker, at, started, sub(claim, 21)
    end
end

-- A task's history: attempts, the last attempt, lost workers, due time (8 bytes), entries.
local function read_history(id)
    local history = call('HGET', HISTORY, id)
    if history then
        local attempt, last, losses = struct.unpack('>I4I4I4', history)
        return attempt, last, losses, sub(history, 13, 20), sub(history, 21)
    end
end

local NOT_RESCHEDULED = string.rep('\0', 8)

local function write_history(id, attempt, last, losses, due, entries)
    call('HSET', HISTORY, id, struct.pack('>I4I4I4', attempt, last, losses) .. due .. entries)
end

-- One entry of a history; `what` is number, start, end and failure as the client packed them.
local function entry(name, what)
    return struct.pack('>I4B', #name + 1 + #what, #name) .. name .. what
end

-- Writes a final state; `what` is status, batch, attempt, start, end and value, packed.
local function write_result(id, seq, status, queue, what, name)
    call('HSET', RESULT, id, what .. name .. string.char(#name))
    count(status, queue, 1)
    if status ~= SUCCESSFUL then
        call('ZADD', ENDED .. status, digits(seq), id)
    end
    changed = true
end
