-- Notes up to which tick the tasks of a schedule are enqueued; it never goes back. On the home shard.
--   ARGV: clock; name; tick
local last = call('HGET', SCHEDULES, ARGV[2])
if not last or tonumber(last) < tonumber(ARGV[3]) then
    call('HSET', SCHEDULES, ARGV[2], ARGV[3])
end
return 1
