-- Statistics: counters and gauges by time, what was rolled up of which source, countries, kinds.
-- oldest: 11

-- One row for each of what a figure may be of, and each span of time; at is where the span begins
-- (s since 1970), step how long it is (s; 2592000 is a calendar month, 0 all time, with at 0).
CREATE TABLE figures (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    step {bigint} NOT NULL,
    at {bigint} NOT NULL,
    events_settled {bigint} NOT NULL DEFAULT 0,
    events_validated {bigint} NOT NULL DEFAULT 0,
    events_rejected {bigint} NOT NULL DEFAULT 0,
    events_set_aside {bigint} NOT NULL DEFAULT 0,
    events_received {bigint} NOT NULL DEFAULT 0,
    events_recomputed {bigint} NOT NULL DEFAULT 0,
    frames {bigint} NOT NULL DEFAULT 0,
    bytes_received {bigint} NOT NULL DEFAULT 0,
    tasks_leased {bigint} NOT NULL DEFAULT 0,
    tasks_delivered {bigint} NOT NULL DEFAULT 0,
    tasks_returned {bigint} NOT NULL DEFAULT 0,
    tasks_expired {bigint} NOT NULL DEFAULT 0,
    tasks_failed {bigint} NOT NULL DEFAULT 0,
    tasks_aborted {bigint} NOT NULL DEFAULT 0,
    preemptions {bigint} NOT NULL DEFAULT 0,
    cpu_ms {bigint} NOT NULL DEFAULT 0,
    wall_ms {bigint} NOT NULL DEFAULT 0,
    credit_micros {bigint} NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, step, key, at)
);
CREATE INDEX figures_by_time ON figures (step, at, kind);

CREATE TABLE gauges (
    gauge TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    step {bigint} NOT NULL,
    at {bigint} NOT NULL,
    low {real} NOT NULL,
    high {real} NOT NULL,
    total {real} NOT NULL,
    samples {bigint} NOT NULL,
    PRIMARY KEY (gauge, kind, step, key, at)
);
CREATE INDEX gauges_by_time ON gauges (step, at);

-- Up to which row of a source (its id) the figures hold it.
CREATE TABLE figure_marks (
    source TEXT PRIMARY KEY,
    upto {bigint} NOT NULL,
    at {real} NOT NULL
);

-- How many different ones there were: salt is encrypted with a key that is no part of the database,
-- and gone with its row when the time is over.
CREATE TABLE sketches (
    what TEXT NOT NULL,
    step {bigint} NOT NULL,
    at {bigint} NOT NULL,
    salt {blob} NOT NULL,
    least {blob} NOT NULL,
    PRIMARY KEY (what, step)
);

-- Credits get a number in the order in which they were written, so that each is counted once.
CREATE TABLE credits_numbered (
    id {id},
    task {bigint} NOT NULL,
    first {bigint} NOT NULL,
    last {bigint} NOT NULL,
    host {bigint} NOT NULL,
    account {bigint} NOT NULL,
    production {bigint} NOT NULL,
    credit {real} NOT NULL,
    at {real} NOT NULL,
    UNIQUE (task, first)
);
INSERT INTO credits_numbered (task, first, last, host, account, production, credit, at)
    SELECT task, first, last, host, account, production, credit, at FROM credits
    ORDER BY at, task, first;
DROP TABLE credits;
ALTER TABLE credits_numbered RENAME TO credits;
CREATE INDEX credits_of_production ON credits (production, host);
CREATE INDEX credits_of_account ON credits (account, id);

ALTER TABLE hosts ADD COLUMN country TEXT NOT NULL DEFAULT '';

ALTER TABLE sites ADD COLUMN kind TEXT NOT NULL DEFAULT ''
    CHECK (kind IN ('', 'volunteer', 'cluster', 'cloud', 'trigger-farm'));
