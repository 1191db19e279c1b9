-- The end-game (where a lease that was trimmed ended before), quotas, bans, and the books of credit.
-- oldest: 1

ALTER TABLE tasks ADD COLUMN lent {bigint};

CREATE TABLE quotas (
    host {bigint} NOT NULL,
    payload TEXT NOT NULL,
    allowed {bigint} NOT NULL,
    used {bigint} NOT NULL,
    day {bigint} NOT NULL,
    PRIMARY KEY (host, payload)
);

CREATE TABLE bans (
    id {id},
    kind TEXT NOT NULL CHECK (kind IN ('host', 'agent')),
    subject TEXT NOT NULL,
    reason TEXT NOT NULL,
    until {real},
    issued_by TEXT NOT NULL,
    issued_at {real} NOT NULL,
    lifted_by TEXT,
    lifted_at {real}
);
CREATE INDEX bans_standing ON bans (id) WHERE lifted_at IS NULL;

CREATE TABLE worths (
    production {bigint} PRIMARY KEY,
    micros {bigint} NOT NULL,
    source TEXT NOT NULL,
    hosts {bigint} NOT NULL,
    at {real} NOT NULL
);

CREATE TABLE bookings (
    task {bigint} NOT NULL,
    first {bigint} NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('production', 'host')),
    subject {bigint} NOT NULL,
    account {bigint} NOT NULL,
    micros {bigint} NOT NULL,
    at {real} NOT NULL,
    PRIMARY KEY (task, first, side),
    CHECK ((side = 'host') = (micros >= 0) OR micros = 0)
);
CREATE INDEX bookings_of_subject ON bookings (side, subject);

INSERT INTO bookings (task, first, side, subject, account, micros, at)
    SELECT task, first, 'production', production, account, -CAST(credit * 1000000 AS {bigint}), at
    FROM credits;
INSERT INTO bookings (task, first, side, subject, account, micros, at)
    SELECT task, first, 'host', host, account, CAST(credit * 1000000 AS {bigint}), at FROM credits;
