-- What every script begins with. KEYS[1] is the tag of one shard, `{prefix:number}`: every key that a
-- script touches begins with it and so lies on the same hash slot. ARGV[1] is the clock: `+n` is the
-- server's time and n microseconds, `=n` is that time. Times are microseconds, exact in a double until 2255.
local P, call = KEYS[1], redis.call
local TASK, RESULT, HISTORY, RUNNING = P .. ':task', P .. ':result', P .. ':history', P .. ':running'
local CLAIM, HELD, LEFT, CANCEL = P .. ':claim', P .. ':held', P .. ':left', P .. ':cancel'
local SCHEDULED, RANKS, COUNT, LOGS = P .. ':scheduled', P .. ':ranks', P .. ':count', P .. ':logs'
local ORDER, READY, HEADS = P .. ':order:', P .. ':ready:', P .. ':heads:'
local ENDED, LOG, DAMAGED = P .. ':ended:', P .. ':log:', P .. ':damaged'
local UNIQUE, KEY_OF, WANTED_BY = P .. ':unique', P .. ':keyof', P .. ':wantedby'
local PAUSED, SCHEDULES = P .. ':paused', P .. ':schedules'
local SUCCESSFUL, FAILED, CANCELED = 1, 2, 3
local WAITING, ALL = '0', 't'
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

local function first_of(rank, lane)
    return call('ZRANGE', READY .. rank .. ':' .. lane, 0, 0, 'WITHSCORES')
end

-- A rank of which nothing waits any more is forgotten.
local function leave_rank(rank)
    if call('EXISTS', ORDER .. rank, HEADS .. rank) == 0 then
        call('ZREM', RANKS, rank)
    end
end

-- The index of lanes that are kept apart has the due time and the number of the first task of each: after a
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
    else
        leave_rank(rank)
    end
end

-- Puts tasks into a lane that is kept apart: a list of due time, member, due time, member .., the earliest in
-- front. `before` is the lane's first task with its due time.
local function add_apart(rank, lane, list, before)
    bulk('ZADD', READY .. rank .. ':' .. lane, list)
    if not before[1] or tonumber(list[1]) <= tonumber(before[2]) then
        set_head(rank, lane, before[1])
    end
end

-- Tasks of this script that join the order of their rank, and which ranks have lanes that are kept apart.
local joining, has_apart = {}, {}

-- Puts tasks where they wait: a list as above. They join the order in `join_order`.
local function add_ready(rank, lane, list)
    if has_apart[rank] == nil then
        has_apart[rank] = call('EXISTS', HEADS .. rank) == 1
    end
    if has_apart[rank] then
        local before = first_of(rank, lane)
        if before[1] then
            add_apart(rank, lane, list, before)
            return
        end
    end
    local all = joining[rank] or {}
    joining[rank] = all
    local n = #all
    for i = 1, #list, 2 do
        all[n + i], all[n + i + 1] = list[i], list[i + 1] .. lane
    end
end

local function join_order()
    for rank, list in pairs(joining) do
        if call('EXISTS', ORDER .. rank) == 0 then
            -- Whoever waits has seen this order empty.
            woke = true
            call('ZADD', RANKS, rank, rank)
        end
        bulk('ZADD', ORDER .. rank, list)
    end
    joining = {}
end

-- Ends every script that changes something: tells workers that there may be something to claim, and those who
-- wait for a result to look.
local function tell()
    join_order()
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

-- A task that is not due stands with its rank and lane, so that nothing needs to be read when it becomes due.
local function scheduled_member(member, rank, lane)
    return member .. struct.pack('>b', rank) .. lane
end

local function add_scheduled(due, member, rank, lane)
    local first = call('ZRANGE', SCHEDULED, 0, 0, 'WITHSCORES')
    woke = woke or not first[1] or due < tonumber(first[2])
    call('ZADD', SCHEDULED, digits(due), scheduled_member(member, rank, lane))
    call('HINCRBY', COUNT, WAITING .. queue_of(lane), 1)
end

local function count(status, queue, by)
    if call('HINCRBY', COUNT, status .. queue, by) == 0 then
        call('HDEL', COUNT, status .. queue)
    end
end

-- The same for a map of counts.
local function count_many(changes)
    local fields = {}
    for field in pairs(changes) do
        fields[#fields + 1] = field
    end
    local set, gone = {}, {}
    for i, value in ipairs(values(COUNT, fields)) do
        local field = fields[i]
        local sum = (tonumber(value) or 0) + changes[field]
        if sum == 0 then
            gone[#gone + 1] = field
        else
            set[#set + 1] = field
            set[#set + 1] = digits(sum)
        end
    end
    bulk('HSET', COUNT, set)
    bulk('HDEL', COUNT, gone)
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
