-- How a claimed task goes back to where it waited, or ends where it may not run again. Shared by give_back
-- and rescue.

-- What stands where a worker's own telling names its batch: what is told later of that batch is refused.
local NOBODY = string.rep('\0', 8)

-- `what` is the attempt that was begun, packed, or nil when none was; `attempt` the attempts before it.
-- `snooze` is how many microseconds it wants to wait, or nil. Answers whether it waits again.
local function put_back(id, name, time, attempt, last, what, is_loss, snooze)
    local body = call('HGET', TASK, id)
    local seq, at, rank, kind, given, _, max_lost, queue, task = struct.unpack(HEAD, body)
    local _, _, losses, due8, entries = read_history(id)
    local canceled = call('SREM', CANCEL, id) == 1
    losses, due8 = losses or 0, due8 or NOT_RESCHEDULED
    local ends_as
    if what then
        attempt, last = attempt + 1, math.min(last + 1, 4294967295)
        losses = losses + (is_loss and 1 or 0)
        write_history(id, attempt, last, losses, due8, (entries or '') .. entry(name, NOBODY .. what))
        if losses > max_lost or max_lost == 0 then
            ends_as = FAILED
        end
    end
    if canceled then
        ends_as = CANCELED
    end
    call('HDEL', RUNNING, id)
    if ends_as then
        local result = struct.pack('>B', ends_as) .. NOBODY .. struct.pack('>I4I8I8', attempt, 0, time)
        write_result(id, seq, ends_as, queue, result, name)
        return false
    end
    if snooze then
        local due = math.min(time + snooze, LATEST)
        write_history(id, attempt, last, losses, be8(due), entries or '')
        add_scheduled(due, be8(seq) .. id, rank, lane_of(queue, task))
        return true
    end
    local due = due8 == NOT_RESCHEDULED and first_due(at, kind, given) or struct.unpack('>i8', due8)
    add_ready(rank, lane_of(queue, task), { digits(due), be8(seq) .. id })
    return true
end
