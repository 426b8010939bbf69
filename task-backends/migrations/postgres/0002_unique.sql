-- Who holds the key of a unique task. A row whose task does not keep others out any more stays until somebody
-- asks for the key, or until everything as old is pruned: so nothing is paid when a task starts or ends.
CREATE TABLE unique_key (
    key_high    bigint NOT NULL,              -- the sixteen bytes of the key
    key_low     bigint NOT NULL,
    id_high     bigint NOT NULL,              -- the sixteen bytes of the task's id
    id_low      bigint NOT NULL,
    mode        bigint NOT NULL,              -- 0 until it starts, 1 until it has ended, 2 until expires_at
    enqueued_at bigint NOT NULL,
    expires_at  bigint,
    PRIMARY KEY (key_high, key_low)
);

-- What no worker takes tasks from: 1 a queue, 2 the tasks of a name.
CREATE TABLE paused (
    kind bigint NOT NULL,
    name text NOT NULL,
    PRIMARY KEY (kind, name)
);

-- Up to which tick the tasks of a schedule are enqueued.
CREATE TABLE schedule (
    name      text PRIMARY KEY,
    last_tick bigint NOT NULL
);

-- Who wanted a task to end, and why.
CREATE TABLE canceled (
    seq          bigint PRIMARY KEY,
    requested_at bigint NOT NULL,
    request      text NOT NULL                 -- JSON
);

UPDATE schema_version SET version = 2;
