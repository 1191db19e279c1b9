-- The first schema: accounts, hosts, payloads, productions, units, tasks, frames, verdicts, moves.
-- oldest: 1

CREATE TABLE accounts (
    id {id},
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL CHECK (role IN ('volunteer', 'institute', 'operator', 'manager', 'admin')),
    created_at {real} NOT NULL
);

CREATE TABLE tokens (
    id {id},
    account {bigint} NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('enrol', 'api')),
    hash {blob} NOT NULL UNIQUE,
    uses_left {bigint} NOT NULL,
    created_at {real} NOT NULL,
    expires_at {real},
    revoked_at {real},
    note TEXT NOT NULL DEFAULT ''
);

CREATE TABLE hosts (
    id {id},
    account {bigint} NOT NULL,
    request TEXT NOT NULL,
    enrol_token {bigint} NOT NULL,
    name TEXT NOT NULL,
    hash {blob} NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('active', 'revoked')),
    facts TEXT NOT NULL,
    enrolled_at {real} NOT NULL,
    seen_at {real} NOT NULL,
    agreed_events {bigint} NOT NULL DEFAULT 0,
    rejected_events {bigint} NOT NULL DEFAULT 0,
    UNIQUE (enrol_token, request)
);

CREATE TABLE classes (
    host {bigint} NOT NULL,
    manifest TEXT NOT NULL,
    digest TEXT NOT NULL,
    seconds_per_event {real} NOT NULL DEFAULT 0,
    reported_at {real} NOT NULL,
    PRIMARY KEY (host, manifest)
);

CREATE TABLE commands (
    seq {id},
    host {bigint} NOT NULL,
    name TEXT NOT NULL,
    args TEXT NOT NULL,
    issued_by TEXT NOT NULL,
    issued_at {real} NOT NULL,
    expires_at {real} NOT NULL
);
CREATE INDEX commands_of_host ON commands (host, seq);

CREATE TABLE payloads (
    digest TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    size {bigint} NOT NULL,
    statement TEXT NOT NULL,
    added_at {real} NOT NULL,
    UNIQUE (name, version)
);

CREATE TABLE productions (
    id {id},
    name TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL
        CHECK (state IN ('active', 'paused', 'held', 'merging', 'done', 'aborted')),
    reason TEXT NOT NULL DEFAULT '',
    definition TEXT NOT NULL,
    manifest TEXT NOT NULL,
    digest TEXT NOT NULL,
    payload TEXT NOT NULL,
    events {bigint} NOT NULL,
    unit {bigint} NOT NULL,
    priority {bigint} NOT NULL,
    next_unit {bigint} NOT NULL DEFAULT 0,
    units_settled {bigint} NOT NULL DEFAULT 0,
    events_settled {bigint} NOT NULL DEFAULT 0,
    created_at {real} NOT NULL,
    finished_at {real},
    output_size {bigint},
    output_digest TEXT
);
CREATE INDEX productions_by_digest ON productions (digest);

CREATE TABLE units (
    production {bigint} NOT NULL,
    number {bigint} NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'settled', 'held', 'aborted')),
    reason TEXT NOT NULL DEFAULT '',
    class TEXT,
    dirty {bigint} NOT NULL DEFAULT 0,
    errors {bigint} NOT NULL DEFAULT 0,
    releases {bigint} NOT NULL DEFAULT 0,
    size {bigint},
    content {bigint},
    digest TEXT,
    PRIMARY KEY (production, number)
);
CREATE INDEX units_dirty ON units (production, number) WHERE dirty > 0;
CREATE INDEX units_held ON units (production, number) WHERE state = 'held';

CREATE TABLE tasks (
    id {id},
    production {bigint} NOT NULL,
    unit {bigint} NOT NULL,
    first {bigint} NOT NULL,
    last {bigint} NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ready', 'leased', 'delivered', 'returned', 'expired',
        'failed', 'aborted', 'withdrawn')),
    host {bigint},
    account {bigint},
    ask TEXT,
    leased_at {real},
    until {real},
    deadline {real},
    ended_at {real},
    cause TEXT,
    held {bigint},
    done {bigint},
    cpu_s {real},
    log TEXT,
    CHECK (first < last),
    CHECK ((state IN ('ready', 'withdrawn')) = (host IS NULL))
);
CREATE INDEX tasks_ready ON tasks (production, id) WHERE state = 'ready';
CREATE INDEX tasks_leased ON tasks (id) WHERE state = 'leased';
CREATE INDEX tasks_of_unit ON tasks (production, unit);

CREATE TABLE frames (
    id {id},
    production {bigint} NOT NULL,
    unit {bigint} NOT NULL,
    task {bigint} NOT NULL,
    host {bigint} NOT NULL,
    account {bigint} NOT NULL,
    first {bigint} NOT NULL,
    last {bigint} NOT NULL,
    segment {bigint} NOT NULL,
    place {bigint} NOT NULL,
    length {bigint} NOT NULL,
    digest {blob} NOT NULL,
    received_at {real} NOT NULL
);
CREATE INDEX frames_of_unit ON frames (production, unit);

CREATE TABLE settled (
    production {bigint} NOT NULL,
    unit {bigint} NOT NULL,
    first {bigint} NOT NULL,
    last {bigint} NOT NULL,
    task {bigint} NOT NULL,
    PRIMARY KEY (production, unit, first)
);

CREATE TABLE rejections (
    id {id},
    production {bigint} NOT NULL,
    unit {bigint} NOT NULL,
    task {bigint} NOT NULL,
    host {bigint} NOT NULL,
    first {bigint} NOT NULL,
    last {bigint} NOT NULL,
    at {real} NOT NULL,
    UNIQUE (task, first)
);
CREATE INDEX rejections_of_production ON rejections (production, host);

CREATE TABLE event_failures (
    task {bigint} NOT NULL,
    first {bigint} NOT NULL,
    last {bigint} NOT NULL,
    word TEXT NOT NULL,
    production {bigint} NOT NULL,
    unit {bigint} NOT NULL,
    host {bigint} NOT NULL,
    at {real} NOT NULL,
    PRIMARY KEY (task, first)
);
CREATE INDEX event_failures_of_unit ON event_failures (production, unit);

CREATE TABLE credits (
    task {bigint} NOT NULL,
    first {bigint} NOT NULL,
    last {bigint} NOT NULL,
    host {bigint} NOT NULL,
    account {bigint} NOT NULL,
    production {bigint} NOT NULL,
    credit {real} NOT NULL,
    at {real} NOT NULL,
    PRIMARY KEY (task, first)
);
CREATE INDEX credits_of_production ON credits (production, host);

CREATE TABLE moves (
    id {id},
    production {bigint},
    machine TEXT NOT NULL,
    subject {bigint} NOT NULL,
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    cause TEXT NOT NULL,
    at {real} NOT NULL
);
CREATE INDEX moves_of_production ON moves (production, id);
