-- How many tasks of this shard each worker holds.
--   ARGV: clock
--   Answer: worker, tasks, worker, tasks ..
local answer = {}
local claims = call('HGETALL', CLAIM)
for i = 1, #claims, 2 do
    answer[#answer + 1] = digits(struct.unpack('>I8', claims[i + 1]))
    answer[#answer + 1] = call('HGET', LEFT, claims[i])
end
return answer
