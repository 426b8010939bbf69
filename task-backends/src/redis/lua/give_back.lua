-- Gives claimed tasks back.
--   ARGV: clock; per task id, batch (8 bytes), attempts before this one, last attempt, packed attempt that was
--         interrupted (without its end) and its failure, or '' and '' when it was not started, and how many
--         microseconds it snoozes or ''
--   Answer: the ids of those that ended instead.
--   A task that its batch does not hold is left alone.
local time, left, ended = now(), {}, {}
for i = 2, #ARGV, 7 do
    local id, batch8 = ARGV[i], ARGV[i + 1]
    local running = call('HGET', RUNNING, id)
    if running and sub(running, 1, 8) == batch8 then
        local _, _, _, name = read_claim(digits(struct.unpack('>I8', batch8)))
        local what
        if ARGV[i + 4] ~= '' then
            what = ARGV[i + 4] .. be8(time) .. ARGV[i + 5]
        end
        if not put_back(id, name, time, tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]), what, false, tonumber(ARGV[i + 6])) then
            ended[#ended + 1] = id
        end
        left[batch8] = (left[batch8] or 0) + 1
    end
end
for batch8, many in pairs(left) do
    leave_batch(digits(struct.unpack('>I8', batch8)), many)
end
woke, changed = woke or next(left) ~= nil, true
tell()
return ended
