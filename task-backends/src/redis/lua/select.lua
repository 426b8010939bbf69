-- Which waiting tasks come first. Shared by claim and peek.
--
-- All tasks of a rank stand in one order, whatever their lane: then it does not matter how many lanes there
-- are. Those that a worker meets at the front and does not take are put apart, once, each lane by itself: then
-- nobody reads past what is not for him. A lane stays apart as long as something waits in it.

-- So many tasks are put apart by one script.
local MOST_APART = 2000

-- Moves what has become due to where it can be claimed, so many at most.
local function promote(time, most)
    local due = call('ZRANGEBYSCORE', SCHEDULED, '-inf', digits(time), 'WITHSCORES', 'LIMIT', 0, most)
    if not due[1] then
        return
    end
    local members, lanes, counts = {}, {}, {}
    for i = 1, #due, 2 do
        local member = due[i]
        members[#members + 1] = member
        -- Rank and lane in one.
        local key = sub(member, 25)
        local list = lanes[key] or {}
        lanes[key] = list
        list[#list + 1] = due[i + 1]
        list[#list + 1] = sub(member, 1, 24)
    end
    bulk('ZREM', SCHEDULED, members)
    for key, list in pairs(lanes) do
        local lane = sub(key, 2)
        local waiting = WAITING .. queue_of(lane)
        counts[waiting] = (counts[waiting] or 0) - #list / 2
        add_ready(struct.unpack('>b', key), lane, list)
    end
    count_many(counts)
    join_order()
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
    local known = {}
    return function(lane)
        local is_wanted = known[lane]
        if is_wanted == nil then
            local at = string.find(lane, '\31', 1, true)
            local queue = sub(lane, 1, at - 1)
            is_wanted = names[sub(lane, at + 1)] and not except[queue] and (not only or only[queue]) or false
            known[lane] = is_wanted
        end
        return is_wanted
    end
end

-- Takes tasks out of the order of their rank and keeps their lanes apart.
local function put_apart(rank, members)
    local lanes = {}
    for from = 1, #members, 4000 do
        local dues = call('ZMSCORE', ORDER .. rank, unpack(members, from, math.min(from + 3999, #members)))
        for i, due in ipairs(dues) do
            local member = members[from + i - 1]
            local lane = sub(member, 25)
            local list = lanes[lane] or {}
            lanes[lane] = list
            list[#list + 1] = due
            list[#list + 1] = sub(member, 1, 24)
        end
    end
    bulk('ZREM', ORDER .. rank, members)
    for lane, list in pairs(lanes) do
        add_apart(rank, lane, list, first_of(rank, lane))
    end
end

-- The first tasks of the order of this rank, at most so many, when all of them are for this worker; what is not is
-- put apart. Nothing when there is more of that than one script may move.
local function front_of(rank, limit, is_wanted)
    local size, moved = limit, 0
    while true do
        local page, others = call('ZRANGE', ORDER .. rank, 0, size - 1), {}
        for i = 1, #page do
            if not is_wanted(sub(page[i], 25)) then
                others[#others + 1] = page[i]
            end
        end
        if not others[1] then
            return page
        elseif moved > MOST_APART then
            return nil
        end
        put_apart(rank, others)
        -- Where one is, more may follow.
        moved, size = moved + #others, math.max(limit, 500)
    end
end

-- The wanted lanes that are kept apart, of one rank in the order of their first tasks, read page by page.
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
        members[n], dues[n], lanes[n], ranks[n] = list[at], list[at + 1], lane or sub(list[at], 25), rank
        at = at + 2
    until not look_at(cursor, at) or n == limit
        or (unread and not is_before(cursor, unread)) or (other and not is_before(cursor, other))
    cursor.taken, taken.n = cursor.taken + n - first, n
end

-- Takes what stands in front of a rank's order, where no lane is kept apart.
local function take_front(page, rank, limit, taken)
    local n = math.min(#page, limit - taken.n)
    for i = 1, n do
        local place = taken.n + i
        taken.member[place], taken.lane[place], taken.rank[place] = page[i], sub(page[i], 25), rank
    end
    taken.n = taken.n + n
    return { rank = rank, taken = n }
end

-- A cursor for each lane, or for the order (without a lane), of which everything that may be taken is there.
local function cursor_of(lane, rank, list)
    local cursor = { lane = lane, rank = rank, read = 0, taken = 0, chunk = 4, list = list }
    if list and look_at(cursor, 1) or lane and refill(cursor, rank, cursor.chunk) then
        cursor.first = cursor.member
        return cursor
    end
end

-- Takes from the order and the lanes beside it, whichever comes first.
local function merge(page, rank, unread, next_lane, limit, taken, touched)
    local heap = {}
    local function start(cursor)
        if cursor then
            push(heap, cursor)
            touched[#touched + 1] = cursor
        end
    end
    if page[1] then
        start(cursor_of(nil, rank, call('ZRANGE', ORDER .. rank, 0, #page - 1, 'WITHSCORES')))
    end
    while taken.n < limit do
        while unread and (not heap[1] or is_before(unread, heap[1])) do
            start(cursor_of(unread.lane, rank))
            unread = next_lane()
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
        if cursor.member or cursor.lane and refill(cursor, rank, cursor.chunk) then
            sift(heap)
        else
            pop(heap)
        end
    end
end

-- The first tasks of all wanted lanes in the order in which to run them, and from where they are, of which they
-- are the beginning. Due times only where they are asked for. Besides, whether to ask again because there was
-- too much to put apart.
local function select_first(limit, is_wanted, with_dues)
    local taken, touched = { n = 0, member = {}, lane = {}, rank = {}, due = {} }, {}
    for _, rank in ipairs(call('ZRANGE', RANKS, 0, -1)) do
        local page = front_of(rank, limit - taken.n, is_wanted)
        if not page then
            return taken, touched, true
        end
        local next_lane = heads_of(rank, is_wanted)
        local unread = next_lane()
        if unread or with_dues then
            merge(page, rank, unread, next_lane, limit, taken, touched)
        else
            touched[#touched + 1] = take_front(page, rank, limit, taken)
        end
        if taken.n == limit then
            break
        end
    end
    return taken, touched, false
end

-- Removes what was taken, and puts the index of lanes right.
local function take_away(touched)
    local gone, heads, ranks = {}, {}, {}
    for _, cursor in ipairs(touched) do
        if cursor.taken > 0 then
            local rank, lane = cursor.rank, cursor.lane
            ranks[rank] = true
            if not lane then
                call('ZREMRANGEBYRANK', ORDER .. rank, 0, cursor.taken - 1)
            else
                call('ZREMRANGEBYRANK', READY .. rank .. ':' .. lane, 0, cursor.taken - 1)
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
    end
    for rank in pairs(ranks) do
        leave_rank(rank)
    end
end
