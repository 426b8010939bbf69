-- Lets a failed or canceled task run again, now, with as many attempts as it had at first and no lost worker
-- held against it.
--   ARGV: clock; id
--   Answer: 0 no such task here, 1 it waits, 2 it was successful, 3 it has not ended.
local id = ARGV[2]
local body = call('HGET', TASK, id)
if not body then
    return 0
end
local result = call('HGET', RESULT, id)
if not result then
    return 3
end
local status = struct.unpack('B', result)
if status == SUCCESSFUL then
    return 2
end
local time = now()
local seq, _, rank, _, _, max_attempts, _, queue, name = struct.unpack(HEAD, body)
local attempt, _, _, _, entries = read_history(id)
attempt = attempt or 0
write_history(id, attempt, math.min(attempt + max_attempts, 4294967295), 0, be8(time), entries or '')
call('HDEL', RESULT, id)
call('HDEL', WANTED_BY, id)
call('ZREM', ENDED .. status, id)
count(status, queue, -1)
add_ready(rank, lane_of(queue, name), { digits(time), be8(seq) .. id })
woke, changed = true, true
tell()
return 1
