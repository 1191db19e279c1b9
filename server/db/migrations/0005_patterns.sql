-- Logs are read: patterns of operators, what was found by them, events set aside, raised memory.
-- oldest: 1

CREATE TABLE patterns (
    name TEXT PRIMARY KEY,
    regex TEXT NOT NULL,
    kind TEXT NOT NULL,
    action TEXT NOT NULL,
    most {bigint} NOT NULL,
    factor {real} NOT NULL,
    payload TEXT NOT NULL DEFAULT '',
    rank {bigint} NOT NULL,
    enabled {bigint} NOT NULL,
    note TEXT NOT NULL DEFAULT '',
    changed_by TEXT NOT NULL,
    changed_at {real} NOT NULL
);

CREATE TABLE findings (
    task {bigint} PRIMARY KEY,
    production {bigint} NOT NULL,
    unit {bigint} NOT NULL,
    host {bigint} NOT NULL,
    account {bigint} NOT NULL,
    outcome TEXT NOT NULL,
    word TEXT NOT NULL,
    pattern TEXT NOT NULL,
    kind TEXT NOT NULL,
    action TEXT NOT NULL,
    counted {bigint} NOT NULL,
    line TEXT NOT NULL,
    around TEXT NOT NULL,
    at {real} NOT NULL
);
CREATE INDEX findings_of_unit ON findings (production, unit);
CREATE INDEX findings_by_pattern ON findings (pattern);

CREATE TABLE set_aside (
    production {bigint} NOT NULL,
    unit {bigint} NOT NULL,
    first {bigint} NOT NULL,
    last {bigint} NOT NULL,
    accounts {bigint} NOT NULL,
    word TEXT NOT NULL,
    log TEXT NOT NULL,
    at {real} NOT NULL,
    PRIMARY KEY (production, first)
);
CREATE INDEX set_aside_of_unit ON set_aside (production, unit);

CREATE TABLE memory (
    production {bigint} NOT NULL,
    unit {bigint} NOT NULL,
    memory_mb {bigint} NOT NULL,
    PRIMARY KEY (production, unit)
);

CREATE INDEX tasks_failed ON tasks (id) WHERE state = 'failed';
