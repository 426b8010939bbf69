-- Says that a worker lives. On the home shard.
--   ARGV: clock; worker; lease in microseconds
--   Answer: whether it does. A lease that ran out and was not taken yet may still be renewed.
local time = now()
if not call('ZSCORE', WORKER .. 'leases', ARGV[2]) then
    return 0
end
call('ZADD', WORKER .. 'leases', until_when(time, ARGV[3]), ARGV[2])
return 1
