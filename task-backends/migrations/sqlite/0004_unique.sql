-- Who holds the key of a unique task. A row whose task does not keep others out any more stays until somebody
-- asks for the key, or until everything as old is pruned: so nothing is paid when a task starts or ends.
CREATE TABLE unique_key (
    key_high    INTEGER NOT NULL,              -- the sixteen bytes of the key
    key_low     INTEGER NOT NULL,
    id_high     INTEGER NOT NULL,              -- the sixteen bytes of the task's id
    id_low      INTEGER NOT NULL,
    mode        INTEGER NOT NULL,              -- 0 until it starts, 1 until it has ended, 2 until expires_at
    enqueued_at INTEGER NOT NULL,
    expires_at  INTEGER,
    PRIMARY KEY (key_high, key_low)
) STRICT, WITHOUT ROWID;

-- What no worker takes tasks from: 1 a queue, 2 the tasks of a name.
CREATE TABLE paused (
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- Up to which tick the tasks of a schedule are enqueued.
CREATE TABLE schedule (
    name      TEXT PRIMARY KEY,
    last_tick INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who wanted a task to end, and why.
CREATE TABLE canceled (
    seq          INTEGER PRIMARY KEY,
    requested_at INTEGER NOT NULL,
    request      TEXT NOT NULL                 -- JSON
) STRICT;
