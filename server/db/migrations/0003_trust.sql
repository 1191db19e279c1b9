-- Trust: what became of each host's events, what was taken on trust alone, and the key of the checks.
-- oldest: 1

CREATE TABLE trust_key (
    id {bigint} PRIMARY KEY CHECK (id = 1),
    value TEXT NOT NULL
);

CREATE TABLE trust (
    host {bigint} NOT NULL,
    payload TEXT NOT NULL,
    agreed {bigint} NOT NULL,
    vouchers TEXT NOT NULL,
    at {real} NOT NULL,
    caught {bigint} NOT NULL,
    caught_at {real},
    PRIMARY KEY (host, payload)
);

CREATE TABLE trust_words (
    host {bigint} PRIMARY KEY,
    word TEXT NOT NULL CHECK (word IN ('doubted', 'trusted')),
    said_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    at {real} NOT NULL
);

CREATE TABLE taken_on_trust (
    production {bigint} NOT NULL,
    unit {bigint} NOT NULL,
    first {bigint} NOT NULL,
    last {bigint} NOT NULL,
    host {bigint} NOT NULL,
    at {real} NOT NULL,
    doubtful_at {real},
    PRIMARY KEY (production, unit, first)
);
CREATE INDEX taken_on_trust_of_host ON taken_on_trust (host);

CREATE INDEX moves_of_trust ON moves (subject, id) WHERE machine = 'trust';

CREATE TABLE trust_checks (
    production {bigint} PRIMARY KEY,
    events {bigint} NOT NULL
);
