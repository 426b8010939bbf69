-- Pauses something for all workers, or lets it go on. On the home shard.
--   ARGV: clock; `q` and a queue or `t` and the name of a task; 1 to pause it, 0 to let it go on
if ARGV[3] == '1' then
    call('HSET', PAUSED, ARGV[2], '')
else
    call('HDEL', PAUSED, ARGV[2])
end
changed = true
tell()
return 1
