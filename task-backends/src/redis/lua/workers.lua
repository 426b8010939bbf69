-- The living workers. On the home shard.
--   ARGV: clock
--   Answer: per worker key, name, end of its lease, what it said of itself.
local answer = {}
local leases = call('ZRANGE', WORKER .. 'leases', 0, -1, 'WITHSCORES')
for i = 1, #leases, 2 do
    answer[#answer + 1] = leases[i]
    answer[#answer + 1] = call('HGET', WORKER .. 'names', leases[i])
    answer[#answer + 1] = leases[i + 1]
    answer[#answer + 1] = call('HGET', WORKER .. 'info', leases[i])
end
return answer
