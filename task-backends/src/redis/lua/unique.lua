-- Tasks of which the store keeps one at a time: who holds a key. A key is of one queue, and so of one shard.
-- Whoever asks for a key looks whether its holder still keeps others out: nothing is done when a task starts or
-- ends. Shared by enqueue and staged, and by holders.

-- Whether the holder of a key (id, mode, until when) keeps others out.
local function keeps_out(holder, time)
    local id, mode, till = struct.unpack('>c16Bi8', holder)
    if call('HEXISTS', TASK, id) == 0 then
        return false
    elseif mode == 2 then
        return till > time
    elseif call('HEXISTS', RESULT, id) == 1 then
        return false
    end
    return mode == 1 or call('HEXISTS', RUNNING, id) == 0
end

-- Takes the keys of the tasks in these arguments, of the calls that are not refused. Answers by place who
-- holds the key of each task that is not to be stored.
local function take_keys(args, time, ids, refused, at, calls, lanes)
    local held_by, taking, place = {}, {}, 0
    for number = 1, calls do
        for _ = 1, tonumber(args[6 + 2 * lanes + number]) do
            place = place + 1
            -- A number alone is far shorter.
            local lane = args[at + 3 * place]
            if #lane > 25 and not refused[number] then
                local key, mode, given = struct.unpack('>c16Bi8', lane, #lane - 24)
                local holder = call('HGET', UNIQUE, key)
                if taking[key] then
                    held_by[place] = taking[key]
                elseif holder and sub(holder, 1, 16) ~= ids[place] and keeps_out(holder, time) then
                    held_by[place] = sub(holder, 1, 16)
                else
                    local till = math.min(time + given, LATEST)
                    call('HSET', UNIQUE, key, ids[place] .. struct.pack('>Bi8', mode, till))
                    call('HSET', KEY_OF, ids[place], key)
                    taking[key] = ids[place]
                end
            end
        end
    end
    return held_by
end
