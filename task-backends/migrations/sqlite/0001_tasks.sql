-- Times are microseconds since 1970 (UTC). `seq` is the task's number by arrival.
-- A task row is written once and never changed. Where the task is in its life shows in
-- which other table its number stands: ready, scheduled, a claim's list, or result.

-- One row per pair of queue and task name: what a worker chooses by.
CREATE TABLE lane (
    id    INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    name  TEXT NOT NULL,
    UNIQUE (queue, name)
) STRICT;

CREATE TABLE task (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          BLOB NOT NULL UNIQUE,          -- the sixteen bytes of the UUID
    lane        INTEGER NOT NULL,
    rank        INTEGER NOT NULL,              -- minus the priority: small runs first
    due         INTEGER NOT NULL,              -- not before this; enqueued_at when at once
    enqueued_at INTEGER NOT NULL,
    arguments   TEXT NOT NULL,                 -- a JSON object
    policy      TEXT                           -- retries and time limit; NULL for the defaults
) STRICT;

-- Due tasks in the order in which to run them; a row leaves when it is claimed.
CREATE TABLE ready (
    lane         INTEGER NOT NULL,
    rank         INTEGER NOT NULL,
    due          INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    attempt      INTEGER NOT NULL,             -- attempts so far
    last_attempt INTEGER NOT NULL,             -- the attempt whose failure is final
    PRIMARY KEY (lane, rank, due, seq)
) STRICT, WITHOUT ROWID;

-- Tasks that are not due yet: apart, so that millions of them slow nothing down.
CREATE TABLE scheduled (
    due          INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    lane         INTEGER NOT NULL,
    rank         INTEGER NOT NULL,
    attempt      INTEGER NOT NULL,
    last_attempt INTEGER NOT NULL,
    PRIMARY KEY (due, seq)
) STRICT, WITHOUT ROWID;

-- The due time of tasks that run again; without a row here it is task.due.
CREATE TABLE rescheduled (
    seq INTEGER PRIMARY KEY,
    due INTEGER NOT NULL
) STRICT;

-- Worker processes. A row stays as long as results name it.
CREATE TABLE worker (
    key         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL,
    host        TEXT NOT NULL,
    pid         INTEGER NOT NULL,
    queues      TEXT NOT NULL,
    concurrency INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    ended_at    INTEGER                        -- left or given up
) STRICT;
CREATE UNIQUE INDEX worker_living ON worker (id) WHERE ended_at IS NULL;

-- One row per batch of claimed tasks: its number is the fencing token of their leases.
CREATE TABLE claim (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    worker     INTEGER NOT NULL,
    claimed_at INTEGER NOT NULL,
    started    INTEGER NOT NULL,               -- tasks at positions below this may have begun
    remaining  INTEGER NOT NULL,               -- tasks that have not ended
    tasks      TEXT NOT NULL                   -- 12,13,15:1:4 - seq[:attempt:last_attempt] in order of starting
) STRICT;
CREATE INDEX claim_worker ON claim (worker);

-- Final states: 1 SUCCESSFUL, 2 FAILED, 3 CANCELED.
CREATE TABLE result (
    seq         INTEGER PRIMARY KEY,
    status      INTEGER NOT NULL,
    lane        INTEGER NOT NULL,
    worker      INTEGER,                       -- NULL when it never ran
    attempt     INTEGER NOT NULL,              -- attempts in all
    started_at  INTEGER,                       -- of the last attempt
    finished_at INTEGER NOT NULL,
    value       TEXT                           -- JSON; NULL for null
) STRICT;
CREATE INDEX result_unsuccessful ON result (status, seq) WHERE status <> 1;

-- Every attempt that ended without a return value.
CREATE TABLE attempt (
    seq        INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    claim      INTEGER NOT NULL,
    worker     INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    failure    TEXT NOT NULL,                  -- JSON
    PRIMARY KEY (seq, number)
) STRICT, WITHOUT ROWID;

-- Running tasks that somebody wants to end.
CREATE TABLE cancellation (
    seq          INTEGER PRIMARY KEY,
    requested_at INTEGER NOT NULL
) STRICT;

-- One row per task, for people with an SQL shell. Looking a task up by `id` reads
-- everything; by `key` (the bytes of the id) it is one step.
CREATE VIEW tasks AS
SELECT
    lower(substr(hex(t.id), 1, 8) || '-' || substr(hex(t.id), 9, 4) || '-' || substr(hex(t.id), 13, 4) || '-'
        || substr(hex(t.id), 17, 4) || '-' || substr(hex(t.id), 21)) AS id,
    l.name AS name,
    l.queue AS queue,
    CASE
        WHEN r.status = 1 THEN 'SUCCESSFUL'
        WHEN r.status = 2 THEN 'FAILED'
        WHEN r.status = 3 THEN 'CANCELED'
        WHEN EXISTS (SELECT 1 FROM ready q WHERE q.lane = t.lane AND q.rank = t.rank AND q.due = coalesce(m.due, t.due) AND q.seq = t.seq)
          OR EXISTS (SELECT 1 FROM scheduled s WHERE s.due = coalesce(m.due, t.due) AND s.seq = t.seq) THEN 'READY'
        ELSE 'RUNNING'
    END AS status,
    -t.rank AS priority,
    t.arguments AS arguments,
    CASE WHEN r.status = 1 THEN coalesce(r.value, 'null') END AS return_value,
    coalesce(r.attempt, (SELECT count(*) FROM attempt a WHERE a.seq = t.seq)
        + (NOT EXISTS (SELECT 1 FROM ready q WHERE q.lane = t.lane AND q.rank = t.rank AND q.due = coalesce(m.due, t.due) AND q.seq = t.seq)
          AND NOT EXISTS (SELECT 1 FROM scheduled s WHERE s.due = coalesce(m.due, t.due) AND s.seq = t.seq))) AS attempts,
    (SELECT json_extract(a.failure, '$.message') FROM attempt a WHERE a.seq = t.seq ORDER BY a.number DESC LIMIT 1) AS last_error,
    w.id AS worker,
    strftime('%Y-%m-%dT%H:%M:%f', t.enqueued_at / 1e6, 'unixepoch') || 'Z' AS enqueued_at,
    strftime('%Y-%m-%dT%H:%M:%f', coalesce(m.due, t.due) / 1e6, 'unixepoch') || 'Z' AS due_at,
    strftime('%Y-%m-%dT%H:%M:%f', r.started_at / 1e6, 'unixepoch') || 'Z' AS last_attempted_at,
    strftime('%Y-%m-%dT%H:%M:%f', r.finished_at / 1e6, 'unixepoch') || 'Z' AS finished_at,
    t.id AS key
FROM task t
JOIN lane l ON l.id = t.lane
LEFT JOIN result r ON r.seq = t.seq
LEFT JOIN worker w ON w.key = r.worker
LEFT JOIN rescheduled m ON m.seq = t.seq;
