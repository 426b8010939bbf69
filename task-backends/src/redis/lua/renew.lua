-- Says that a worker lives. On the home shard.
--   ARGV: clock; worker; lease in microseconds
--   Answer: 0, or the time and what is paused. A lease that ran out and was not taken yet may still be renewed.
local time = now()
if not call('ZSCORE', WORKER .. 'leases', ARGV[2]) then
    return 0
end
call('ZADD', WORKER .. 'leases', until_when(time, ARGV[3]), ARGV[2])
local answer = call('HKEYS', PAUSED)
table.insert(answer, 1, digits(time))
return answer
