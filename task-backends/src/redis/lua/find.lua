-- Looks a task up.
--   ARGV: clock; id
--   Answer: as read.lua says, or nil.
local body = call('HGET', TASK, ARGV[2])
return body and row(ARGV[2], body, call('HGET', RESULT, ARGV[2]))
