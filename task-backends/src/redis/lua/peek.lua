-- Which tasks come first on this shard, for a claim over several shards.
--   ARGV: clock; wish as JSON; at most so many
--   Answer: 2 when there was much to put apart and it is to be asked again, else when the next scheduled task is due or ''; per task rank, due time, seq, packed in 17 bytes.
promote(now(), 1000)
local places = {}
local taken, _, is_early = select_first(tonumber(ARGV[3]), wish(ARGV[2]), true)
if is_early then
    tell()
    return 2
end
for i = 1, taken.n do
    places[i] = struct.pack('>bd', tonumber(taken.rank[i]), tonumber(taken.due[i])) .. sub(taken.member[i], 1, 8)
end
tell()
local first = call('ZRANGE', SCHEDULED, 0, 0, 'WITHSCORES')
return { first[2] or '', table.concat(places) }
