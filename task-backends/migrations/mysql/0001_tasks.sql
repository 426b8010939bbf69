-- Times are microseconds since 1970 (UTC). `seq` is the task's number by arrival.
-- A task row is written once and never changed. Where the task is in its life shows in
-- which other table its number stands: ready, scheduled, a claim's list, or result.
-- Statements can be run again: MySQL commits each of them by itself.

-- One row: the version of this schema. Whoever makes a lane holds it meanwhile.
CREATE TABLE IF NOT EXISTS schema_version (
    id      TINYINT PRIMARY KEY DEFAULT 1,
    version BIGINT NOT NULL
) ENGINE = InnoDB;

-- One row per pair of queue and task name: what a worker chooses by.
CREATE TABLE IF NOT EXISTS lane (
    id    BIGINT PRIMARY KEY,
    queue VARCHAR(100) NOT NULL,
    name  VARCHAR(400) NOT NULL,
    UNIQUE KEY lane_pair (queue, name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS task (
    seq         BIGINT AUTO_INCREMENT PRIMARY KEY,
    id          BINARY(16) NOT NULL,           -- the sixteen bytes of the UUID
    lane        BIGINT NOT NULL,
    `rank`      BIGINT NOT NULL,               -- minus the priority: small runs first
    due         BIGINT NOT NULL,               -- not before this; enqueued_at when at once
    enqueued_at BIGINT NOT NULL,
    arguments   LONGTEXT NOT NULL,             -- a JSON object
    policy      TEXT,                          -- retries and time limit; NULL for the defaults
    metadata    LONGTEXT,                      -- a JSON object of the application's; NULL for none
    UNIQUE KEY task_id_key (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Due tasks; a row leaves when it is claimed.
CREATE TABLE IF NOT EXISTS ready (
    seq          BIGINT PRIMARY KEY,
    lane         BIGINT NOT NULL,
    `rank`       BIGINT NOT NULL,
    due          BIGINT NOT NULL,
    attempt      BIGINT NOT NULL,              -- attempts so far
    last_attempt BIGINT NOT NULL,              -- the attempt whose failure is final
    KEY by_order (`rank`, due, seq, lane),
    KEY by_lane (lane, `rank`, due, seq)
) ENGINE = InnoDB;

-- Tasks that are not due yet: apart, so that millions of them slow nothing down.
CREATE TABLE IF NOT EXISTS scheduled (
    seq          BIGINT PRIMARY KEY,
    due          BIGINT NOT NULL,
    lane         BIGINT NOT NULL,
    `rank`       BIGINT NOT NULL,
    attempt      BIGINT NOT NULL,
    last_attempt BIGINT NOT NULL,
    KEY by_due (due, seq)
) ENGINE = InnoDB;

-- The due time of tasks that run again; without a row here it is task.due.
CREATE TABLE IF NOT EXISTS rescheduled (
    seq BIGINT PRIMARY KEY,
    due BIGINT NOT NULL
) ENGINE = InnoDB;

-- Worker processes. A row stays as long as results name it.
CREATE TABLE IF NOT EXISTS worker (
    `key`       BIGINT AUTO_INCREMENT PRIMARY KEY,
    id          VARCHAR(64) NOT NULL,
    host        TEXT NOT NULL,
    pid         BIGINT NOT NULL,
    queues      LONGTEXT NOT NULL,
    concurrency BIGINT NOT NULL,
    started_at  BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    ended_at    BIGINT,                        -- left or given up
    living      VARCHAR(64) AS (CASE WHEN ended_at IS NULL THEN id END) STORED,
    UNIQUE KEY worker_living (living)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- One row per batch of claimed tasks: its number is the fencing token of their leases.
CREATE TABLE IF NOT EXISTS claim (
    id         BIGINT AUTO_INCREMENT PRIMARY KEY,
    worker     BIGINT NOT NULL,
    claimed_at BIGINT NOT NULL,
    started    BIGINT NOT NULL,                -- tasks at positions below this may have begun
    remaining  BIGINT NOT NULL,                -- tasks that have not ended
    tasks      LONGTEXT NOT NULL,              -- 12,13,15:1:4 - seq[:attempt:last_attempt] in order of starting
    KEY claim_worker (worker)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Final states: 1 SUCCESSFUL, 2 FAILED, 3 CANCELED.
CREATE TABLE IF NOT EXISTS result (
    seq         BIGINT PRIMARY KEY,
    status      BIGINT NOT NULL,
    lane        BIGINT NOT NULL,
    worker      BIGINT,                        -- NULL when it never ran
    attempt     BIGINT NOT NULL,               -- attempts in all
    started_at  BIGINT,                        -- of the last attempt
    finished_at BIGINT NOT NULL,
    value       LONGTEXT,                      -- JSON; NULL for null
    KEY by_status (status, seq)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Every attempt that ended without a return value.
CREATE TABLE IF NOT EXISTS attempt (
    seq        BIGINT NOT NULL,
    number     BIGINT NOT NULL,
    claim      BIGINT NOT NULL,
    worker     BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL,
    failure    LONGTEXT NOT NULL,              -- JSON
    PRIMARY KEY (seq, number)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Running tasks that somebody wants to end.
CREATE TABLE IF NOT EXISTS cancellation (
    seq          BIGINT PRIMARY KEY,
    requested_at BIGINT NOT NULL
) ENGINE = InnoDB;

-- One row per task, for people with an SQL shell. Looking a task up by `id` reads
-- everything; by `key` (the bytes of the id) it is one step. Times are UTC.
CREATE OR REPLACE VIEW tasks AS
SELECT
    LOWER(CONCAT(SUBSTR(HEX(t.id), 1, 8), '-', SUBSTR(HEX(t.id), 9, 4), '-', SUBSTR(HEX(t.id), 13, 4), '-',
        SUBSTR(HEX(t.id), 17, 4), '-', SUBSTR(HEX(t.id), 21))) AS id,
    l.name AS name,
    l.queue AS queue,
    CASE
        WHEN r.status = 1 THEN 'SUCCESSFUL'
        WHEN r.status = 2 THEN 'FAILED'
        WHEN r.status = 3 THEN 'CANCELED'
        WHEN q.seq IS NOT NULL OR s.seq IS NOT NULL THEN 'READY'
        ELSE 'RUNNING'
    END AS status,
    -t.`rank` AS priority,
    t.arguments AS arguments,
    t.metadata AS metadata,
    CASE WHEN r.status = 1 THEN COALESCE(r.value, 'null') END AS return_value,
    COALESCE(r.attempt, (SELECT COUNT(*) FROM attempt a WHERE a.seq = t.seq)
        + CASE WHEN q.seq IS NOT NULL OR s.seq IS NOT NULL THEN 0 ELSE 1 END) AS attempts,
    (SELECT JSON_UNQUOTE(JSON_EXTRACT(a.failure, '$.message')) FROM attempt a WHERE a.seq = t.seq
        ORDER BY a.number DESC LIMIT 1) AS last_error,
    k.id AS worker,
    TIMESTAMPADD(MICROSECOND, t.enqueued_at, '1970-01-01 00:00:00.000000') AS enqueued_at,
    TIMESTAMPADD(MICROSECOND, COALESCE(m.due, t.due), '1970-01-01 00:00:00.000000') AS due_at,
    TIMESTAMPADD(MICROSECOND, r.started_at, '1970-01-01 00:00:00.000000') AS last_attempted_at,
    TIMESTAMPADD(MICROSECOND, r.finished_at, '1970-01-01 00:00:00.000000') AS finished_at,
    t.id AS `key`
FROM task t
JOIN lane l ON l.id = t.lane
LEFT JOIN result r ON r.seq = t.seq
LEFT JOIN worker k ON k.`key` = r.worker
LEFT JOIN rescheduled m ON m.seq = t.seq
LEFT JOIN ready q ON q.seq = t.seq
LEFT JOIN scheduled s ON s.seq = t.seq;

INSERT IGNORE INTO schema_version (id, version) VALUES (1, 1);
