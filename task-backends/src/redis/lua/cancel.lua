-- Asks for a task to end.
--   ARGV: clock; id; who asks and why, as JSON
--   Answer: 0 no such task here, 1 canceled, 2 running and asked to stop, 3 had ended.
local id = ARGV[2]
local body = call('HGET', TASK, id)
if not body then
    return 0
elseif call('HEXISTS', RESULT, id) == 1 then
    return 3
elseif call('HEXISTS', RUNNING, id) == 1 then
    call('SADD', CANCEL, id)
    call('HSETNX', WANTED_BY, id, ARGV[3])
    return 2
end
local seq, _, rank, _, _, _, _, queue, name = struct.unpack(HEAD, body)
local member, lane = be8(seq) .. id, lane_of(queue, name)
local before = first_of(rank, lane)[1]
if call('ZREM', ORDER .. rank, member .. lane) == 1 then
    leave_rank(rank)
elseif call('ZREM', READY .. rank .. ':' .. lane, member) == 1 then
    set_head(rank, lane, before)
elseif call('ZREM', SCHEDULED, scheduled_member(member, rank, lane)) == 1 then
    count(WAITING, queue, -1)
end
call('HSETNX', WANTED_BY, id, ARGV[3])
local attempts = read_history(id) or 0
local result = struct.pack('>BI8I4I8I8', CANCELED, 0, attempts, 0, now())
write_result(id, seq, CANCELED, queue, result, '')
tell()
return 1
