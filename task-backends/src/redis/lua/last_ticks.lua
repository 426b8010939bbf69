-- Makes schedules known, from now on, where they are not. On the home shard.
--   ARGV: clock; names
--   Answer: the last tick of each.
local time, ticks = digits(now()), {}
for i = 2, #ARGV do
    call('HSETNX', SCHEDULES, ARGV[i], time)
    ticks[#ticks + 1] = call('HGET', SCHEDULES, ARGV[i])
end
return ticks
