-- The time and numbers of the whole store, for a step that goes over several shards. On the home shard.
--   ARGV: clock; how many numbers of arrival to take; a worker or ''; shards about to be written to, one bit each
--   Answer: now, the first number, the worker's name or '' when it is gone, all shards ever written to.
local seq, used = 0, tonumber(call('GET', P .. ':used') or 0)
if ARGV[2] ~= '0' then
    seq = call('INCRBY', P .. ':seq', ARGV[2]) - tonumber(ARGV[2]) + 1
end
local all = bit.bor(used, tonumber(ARGV[4]))
if all ~= used then
    call('SET', P .. ':used', all)
end
return { digits(now()), digits(seq), call('HGET', P .. ':worker:names', ARGV[3]) or '', digits(all) }
