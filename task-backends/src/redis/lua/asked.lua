-- Which tasks that a worker holds somebody wants to end.
--   ARGV: clock; worker
--   Answer: their ids.
local answer = {}
for _, id in ipairs(call('SMEMBERS', CANCEL)) do
    local running = call('HGET', RUNNING, id)
    local worker = running and read_claim(digits(struct.unpack('>I8', running)))
    if worker and digits(worker) == ARGV[2] then
        answer[#answer + 1] = id
    end
end
return answer
