-- Stores new tasks.
--   ARGV: as in store.lua
--   Answer: now, first seq, numbers of the calls that were refused because an id is taken; for each task whose
--   key another one holds `u`, its place from 1 (4 bytes) and the id of that one.
--   A sender has one call under way: sent a second time, it is answered as before and nothing is written.
local sender, number = ARGV[2], ARGV[3]
local before = call('HGET', SENDERS, sender)
if before then
    local known, answer = string.match(before, '^(%d+) (.*)$')
    if known == number then
        return cmsgpack.unpack(answer)
    end
end
local answer = run(ARGV, now())
call('HSET', SENDERS, sender, number .. ' ' .. cmsgpack.pack(answer))
return answer
