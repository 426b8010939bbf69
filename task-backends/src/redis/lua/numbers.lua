-- Numbers for batches, never given twice, also when the server lost its last moments: they follow its time.
-- On the home shard.
--   ARGV: clock; how many
--   Answer: the last of them.
local last = math.max(tonumber(call('GET', P .. ':batches') or 0), now()) + tonumber(ARGV[2])
call('SET', P .. ':batches', digits(last))
return digits(last)
