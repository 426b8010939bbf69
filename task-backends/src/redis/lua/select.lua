-- Which waiting tasks come first. Shared by claim and peek.

-- Moves what has become due to where it can be claimed, so many at most.
local function promote(time, most)
    local due = call('ZRANGEBYSCORE', SCHEDULED, '-inf', digits(time), 'WITHSCORES', 'LIMIT', 0, most)
    if not due[1] then
        return
    end
    local ids, members = {}, {}
    for i = 1, #due, 2 do
        members[#members + 1] = due[i]
        ids[#ids + 1] = sub(due[i], 9)
    end
    local lanes, counts = {}, {}
    for i, body in ipairs(values(TASK, ids)) do
        local _, _, rank, _, _, _, _, queue, name = head(body)
        if rank then
            local key = rank .. '\31' .. lane_of(queue, name)
            local lane = lanes[key]
            if not lane then
                lane = { rank = rank, lane = lane_of(queue, name), list = {} }
                lanes[key] = lane
            end
            local list = lane.list
            list[#list + 1] = due[2 * i]
            list[#list + 1] = members[i]
            counts[queue] = (counts[queue] or 0) + 1
        else
            -- What is stored about it is damaged: nobody can run it, and it holds nobody up.
            redis.log(redis.LOG_WARNING, 'tasks: a scheduled task is damaged and dropped')
        end
    end
    bulk('ZREM', SCHEDULED, members)
    for _, lane in pairs(lanes) do
        add_ready(lane.rank, lane.lane, lane.list)
    end
    for queue, tasks in pairs(counts) do
        count('0', queue, -tasks)
    end
end

-- A test of lanes: names the worker knows, queues it takes from and never takes from, as JSON.
local function wish(text)
    local wanted = cjson.decode(text)
    local function set(list)
        local all = {}
        for _, value in ipairs(list) do
            all[value] = true
        end
        return all
    end
    local names, except = set(wanted.names), set(wanted.except)
    local only = wanted.only ~= cjson.null and set(wanted.only) or nil
    return function(lane)
        local at = string.find(lane, '\31', 1, true)
        local queue = sub(lane, 1, at - 1)
        return names[sub(lane, at + 1)] and not except[queue] and (not only or only[queue])
    end
end

-- The wanted lanes of one rank in the order of their first tasks, read page by page.
local function heads_of(rank, is_wanted)
    local page, at, offset = {}, 1, 0
    return function()
        while true do
            if at > #page then
                page = call('ZRANGE', HEADS .. rank, offset, offset + 49, 'WITHSCORES')
                if #page == 0 then
                    return nil
                end
                offset, at = offset + 50, 1
            end
            local head, due = page[at], tonumber(page[at + 1])
            at = at + 2
            if is_wanted(sub(head, 9)) then
                return { lane = sub(head, 9), seq = struct.unpack('>I8', head), due = due }
            end
        end
    end
end

-- By numbers: how Lua compares texts depends on the language that the server was started with.
local function is_before(one, other)
    local due, late = one.due, other.due
    return due < late or (due == late and one.seq < other.seq)
end

-- The task at which a cursor stands; false when it has been read to its end.
local function look_at(cursor, at)
    local member = cursor.list[at]
    cursor.at, cursor.member = at, member
    if member then
        cursor.due, cursor.seq = tonumber(cursor.list[at + 1]), struct.unpack('>I8', member)
    end
    return member
end

-- A heap of cursors, the one with the first task on top.
local function push(heap, cursor)
    local i = #heap + 1
    heap[i] = cursor
    while i > 1 do
        local parent = floor(i / 2)
        if not is_before(heap[i], heap[parent]) then
            break
        end
        heap[i], heap[parent] = heap[parent], heap[i]
        i = parent
    end
end

-- Puts the cursor on top where it belongs, after its first task was taken.
local function sift(heap)
    local i, cursor = 1, heap[1]
    while true do
        local child = 2 * i
        local least = heap[child]
        if not least then
            break
        end
        local other = heap[child + 1]
        if other and is_before(other, least) then
            child, least = child + 1, other
        end
        if not is_before(least, cursor) then
            break
        end
        heap[i] = least
        i = child
    end
    heap[i] = cursor
end

local function pop(heap)
    heap[1] = heap[#heap]
    heap[#heap] = nil
    if heap[1] then
        sift(heap)
    end
end

-- The next tasks of a cursor's lane; false when there are none.
local function refill(cursor, rank, most)
    cursor.list = call('ZRANGE', READY .. rank .. ':' .. cursor.lane, cursor.read, cursor.read + most - 1, 'WITHSCORES')
    cursor.read = cursor.read + #cursor.list / 2
    return look_at(cursor, 1)
end

-- Takes from a cursor what comes before every other lane's first task, as far as it has been read.
local function drain(cursor, other, unread, limit, taken)
    local list, at, n = cursor.list, cursor.at, taken.n
    local members, lanes, ranks, dues = taken.member, taken.lane, taken.rank, taken.due
    local lane, rank, first = cursor.lane, cursor.rank, n
    repeat
        n = n + 1
        members[n], dues[n], lanes[n], ranks[n] = list[at], list[at + 1], lane, rank
        at = at + 2
    until not look_at(cursor, at) or n == limit
        or (unread and not is_before(cursor, unread)) or (other and not is_before(cursor, other))
    cursor.taken, taken.n = cursor.taken + n - first, n
end

-- The first tasks of the only lane there is: its scores need not be read.
local function take_first(lane, rank, limit, taken)
    local members, n = call('ZRANGE', READY .. rank .. ':' .. lane, 0, limit - taken.n - 1), taken.n
    for i = 1, #members do
        taken.member[n + i], taken.lane[n + i], taken.rank[n + i] = members[i], lane, rank
    end
    taken.n = n + #members
    return { lane = lane, rank = rank, taken = #members, first = members[1] }
end

-- The first tasks of all wanted lanes in the order in which to run them, and the lanes they are of, each of
-- which they are the beginning of. Due times only where they are asked for.
local function select_first(limit, is_wanted, with_dues)
    local taken, touched = { n = 0, member = {}, lane = {}, rank = {}, due = {} }, {}
    for _, rank in ipairs(call('ZRANGE', RANKS, 0, -1)) do
        local next_lane, heap = heads_of(rank, is_wanted), {}
        local unread = next_lane()
        while taken.n < limit do
            while unread and (not heap[1] or is_before(unread, heap[1])) do
                local lane = unread.lane
                unread = next_lane()
                if heap[1] or unread or with_dues then
                    local cursor = { lane = lane, rank = rank, read = 0, taken = 0, chunk = 4 }
                    if refill(cursor, rank, cursor.chunk) then
                        cursor.first = cursor.member
                        push(heap, cursor)
                        touched[#touched + 1] = cursor
                    end
                else
                    touched[#touched + 1] = take_first(lane, rank, limit, taken)
                end
            end
            if not heap[1] then
                break
            end
            local cursor, other = heap[1], heap[2]
            if heap[3] and is_before(heap[3], other) then
                other = heap[3]
            end
            drain(cursor, other, unread, limit, taken)
            cursor.chunk = math.min(2 * cursor.chunk, 1024)
            if cursor.member or refill(cursor, rank, cursor.chunk) then
                sift(heap)
            else
                pop(heap)
            end
        end
        if taken.n == limit then
            break
        end
    end
    return taken, touched
end

-- Removes what was taken of these lanes, and puts the index of lanes right.
local function take_away(touched)
    local gone, heads = {}, {}
    for _, cursor in ipairs(touched) do
        if cursor.taken > 0 then
            local rank, lane = cursor.rank, cursor.lane
            call('ZREMRANGEBYRANK', READY .. rank .. ':' .. lane, 0, cursor.taken - 1)
            if not cursor.list then
                set_head(rank, lane, cursor.first)
            else
                if not gone[rank] then
                    gone[rank], heads[rank] = {}, {}
                end
                local removed, added = gone[rank], heads[rank]
                removed[#removed + 1] = sub(cursor.first, 1, 8) .. lane
                if cursor.member then
                    added[#added + 1] = cursor.list[cursor.at + 1]
                    added[#added + 1] = sub(cursor.member, 1, 8) .. lane
                end
            end
        end
    end
    for rank, removed in pairs(gone) do
        bulk('ZREM', HEADS .. rank, removed)
        bulk('ZADD', HEADS .. rank, heads[rank])
        if call('EXISTS', HEADS .. rank) == 0 then
            call('ZREM', RANKS, rank)
        end
    end
end
