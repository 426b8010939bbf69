-- Everything about a task as the client reads it. Shared by find and list.
--   Answer per task: task, history or '', result or '', claim (8 bytes of time and the worker's name) or '', who
--   wanted it to end, of one that was canceled, or ''.
local function row(id, body, result)
    local history, claim = call('HGET', HISTORY, id) or '', ''
    if not result then
        local running = call('HGET', RUNNING, id)
        if running then
            local _, at, _, name = read_claim(digits(struct.unpack('>I8', running)))
            claim = be8(at) .. name
        end
    end
    local request = result and struct.unpack('B', result) == CANCELED and call('HGET', WANTED_BY, id)
    return { id, body, history, result or '', claim, request or '' }
end
