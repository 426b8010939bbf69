-- Decides whether a staged call counts. On the home shard.
--   ARGV: clock; transaction; `yes` or `no`
--   Answer: what holds: what was said first. Remembered for an hour, far longer than anything stays staged.
local key = P .. ':transaction:' .. ARGV[2]
call('SET', key, ARGV[3], 'NX', 'EX', 3600)
return call('GET', key)
