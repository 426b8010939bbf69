-- Gives up workers whose lease ran out. On the home shard.
--   ARGV: clock; names of workers given up before whose tasks were all taken, to be forgotten after a while
--   Answer: now, how many were given up, every worker that is gone.
--   A worker stays among the gone for an hour: until then a claim it began in time may still arrive.
local time = now()
local LEASES, GONE = WORKER .. 'leases', WORKER .. 'gone'
for i = 2, #ARGV do
    local ended = call('ZSCORE', GONE, ARGV[i])
    if ended and tonumber(ended) < time - 3600000000 then
        call('ZREM', GONE, ARGV[i])
    end
end
local lost = call('ZRANGEBYSCORE', LEASES, '-inf', '(' .. digits(time), 'LIMIT', 0, 1000)
for _, key in ipairs(lost) do
    end_worker(key, time)
end
local answer = { digits(time), #lost }
for _, key in ipairs(call('ZRANGE', GONE, 0, -1)) do
    answer[#answer + 1] = key
end
return answer
