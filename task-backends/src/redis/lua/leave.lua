-- Ends a worker's lease. On the home shard.
--   ARGV: clock; worker
end_worker(ARGV[2], now())
