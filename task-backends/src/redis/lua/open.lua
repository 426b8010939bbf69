-- The version of the layout and the number of shards, written by whoever comes first. On the home shard.
--   ARGV: clock; version; shards
--   Answer: the version and the number of shards that hold.
call('HSETNX', P .. ':format', 'version', ARGV[2])
call('HSETNX', P .. ':format', 'shards', ARGV[3])
return call('HMGET', P .. ':format', 'version', 'shards')
