-- A call with tasks on several shards is written in three steps: its tasks are staged on each shard, one key
-- on the home shard says that the call counts, and each shard stores what it staged. What a client that died
-- left staged is stored or dropped by whoever rescues, as that key says.
--   ARGV: clock; `stage`, transaction, then the arguments of store.lua |
--         `apply` or `drop`, transaction | `old`, age in microseconds
--   Answer: stage: 1, or 0 when an id is taken; apply: as enqueue, remembered for an hour; drop: 1; old:
--   transactions staged longer ago.
local step, transaction = ARGV[2], ARGV[3]
if step == 'stage' then
    local arguments = {}
    for i = 4, #ARGV do
        arguments[#arguments + 1] = ARGV[i]
    end
    local lanes = tonumber(arguments[5])
    local _, refused = taken(arguments, lanes, tonumber(arguments[6 + 2 * lanes]))
    if next(refused) then
        return 0
    end
    call('HSET', STAGED, transaction, cmsgpack.pack(arguments))
    call('ZADD', STAGES, digits(now()), transaction)
    return 1
elseif step == 'old' then
    return call('ZRANGEBYSCORE', STAGES, '-inf', digits(now() - tonumber(ARGV[3])), 'LIMIT', 0, 100)
end
local staged = call('HGET', STAGED, transaction)
if staged then
    call('HDEL', STAGED, transaction)
    call('ZREM', STAGES, transaction)
    if step == 'apply' then
        local what = cmsgpack.unpack(staged)
        call('SET', P .. ':applied:' .. transaction, cmsgpack.pack(run(what, tonumber(sub(what[1], 2)))), 'EX', 3600)
    end
end
local applied = step == 'apply' and call('GET', P .. ':applied:' .. transaction)
return applied and cmsgpack.unpack(applied) or 1
