-- Who holds the key of a unique task. A row whose task does not keep others out any more stays until somebody
-- asks for the key, or until everything as old is pruned: so nothing is paid when a task starts or ends.
CREATE TABLE IF NOT EXISTS unique_key (
    key_high    BIGINT NOT NULL,              -- the sixteen bytes of the key
    key_low     BIGINT NOT NULL,
    id_high     BIGINT NOT NULL,              -- the sixteen bytes of the task's id
    id_low      BIGINT NOT NULL,
    mode        BIGINT NOT NULL,              -- 0 until it starts, 1 until it has ended, 2 until expires_at
    enqueued_at BIGINT NOT NULL,
    expires_at  BIGINT,
    PRIMARY KEY (key_high, key_low)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- What no worker takes tasks from: 1 a queue, 2 the tasks of a name.
CREATE TABLE IF NOT EXISTS paused (
    kind BIGINT NOT NULL,
    name VARCHAR(200) NOT NULL,
    PRIMARY KEY (kind, name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Up to which tick the tasks of a schedule are enqueued.
CREATE TABLE IF NOT EXISTS schedule (
    name      VARCHAR(200) PRIMARY KEY,
    last_tick BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Who wanted a task to end, and why.
CREATE TABLE IF NOT EXISTS canceled (
    seq          BIGINT PRIMARY KEY,
    requested_at BIGINT NOT NULL,
    request      LONGTEXT NOT NULL                 -- JSON
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

UPDATE schema_version SET version = 2;
