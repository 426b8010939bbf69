-- Which of these ids are stored on this shard.
--   ARGV: clock; ids
--   Answer: numbers of those that are, from 1.
local ids, known = {}, {}
for i = 2, #ARGV do
    ids[#ids + 1] = ARGV[i]
end
for number, stored in ipairs(values(TASK, ids)) do
    if stored then
        known[#known + 1] = number
    end
end
return known
