-- One order over all lanes, beside the one of each lane: what a worker takes that may take everything.
CREATE INDEX ready_order ON ready (rank, due, seq, attempt, last_attempt);
