-- How many tasks of this shard are in each state.
--   ARGV: clock
--   Answer: status (1 to 3, 0 waiting, 4 running) and queue in one, tasks, ..; several times the same is their sum.
local answer = call('HGETALL', COUNT)
local function add(what, tasks)
    answer[#answer + 1] = what
    answer[#answer + 1] = tostring(tasks)
end
for _, rank in ipairs(call('ZRANGE', RANKS, 0, -1)) do
    for _, head in ipairs(call('ZRANGE', HEADS .. rank, 0, -1)) do
        local lane = sub(head, 9)
        add('0' .. queue_of(lane), call('ZCARD', READY .. rank .. ':' .. lane))
    end
end
local running = {}
for _, held in ipairs(call('HVALS', RUNNING)) do
    local lane = sub(held, 13)
    running[lane] = (running[lane] or 0) + 1
end
for lane, tasks in pairs(running) do
    add('4' .. queue_of(lane), tasks)
end
return answer
