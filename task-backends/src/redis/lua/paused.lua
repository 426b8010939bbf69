-- What is paused. On the home shard.
--   Answer: `q` and a queue or `t` and the name of a task, each.
return call('HKEYS', PAUSED)
