-- Takes back a claim whose answer never came, so that nobody knows of it: nothing of it was started.
--   ARGV: clock; batch
local time, batch = now(), ARGV[2]
local held, batch8 = call('HGET', HELD, batch), be8(tonumber(batch))
if held then
    local _, _, _, name = read_claim(batch)
    for at = 1, #held, 16 do
        local id = sub(held, at, at + 15)
        local running = call('HGET', RUNNING, id)
        if running and sub(running, 1, 8) == batch8 then
            put_back(id, name, time, read_history(id) or 0, 0, nil, false)
        end
    end
    leave_batch(batch, 9007199254740991)
    tell()
end
