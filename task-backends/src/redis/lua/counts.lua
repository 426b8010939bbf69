-- How many tasks of this shard are in each state.
--   ARGV: clock
--   Answer: status (1 to 3, 0 waiting, 4 running) and queue in one, tasks, ..; several times the same is their sum.
local answer, rest = {}, {}
local function add(status, queue, tasks)
    if tasks > 0 then
        answer[#answer + 1] = status .. queue
        answer[#answer + 1] = digits(tasks)
        rest[queue] = (rest[queue] or 0) - tasks
    end
end
local counted = call('HGETALL', COUNT)
for i = 1, #counted, 2 do
    local status, queue = sub(counted[i], 1, 1), sub(counted[i], 2)
    if status == ALL then
        rest[queue] = (rest[queue] or 0) + tonumber(counted[i + 1])
    else
        add(status, queue, tonumber(counted[i + 1]))
    end
end
for _, rank in ipairs(call('ZRANGE', RANKS, 0, -1)) do
    for _, head in ipairs(call('ZRANGE', HEADS .. rank, 0, -1)) do
        local lane = sub(head, 9)
        add(WAITING, queue_of(lane), call('ZCARD', READY .. rank .. ':' .. lane))
    end
end
local running = {}
for _, held in ipairs(call('HVALS', RUNNING)) do
    local lane = sub(held, 13)
    running[lane] = (running[lane] or 0) + 1
end
for lane, tasks in pairs(running) do
    add('4', queue_of(lane), tasks)
end
-- All others wait in the order of their rank.
local waiting = {}
for queue, tasks in pairs(rest) do
    waiting[queue] = tasks
end
for queue, tasks in pairs(waiting) do
    add(WAITING, queue, tasks)
end
return answer
