-- What the application says about a task: a JSON object; NULL for nothing.
ALTER TABLE task ADD COLUMN metadata TEXT;

DROP VIEW tasks;

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
    t.metadata AS metadata,
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
