-- Pairings, the machines that asked for one, what hosts were given, and limits of enrolment tokens.
-- oldest: 1

-- pin is the HMAC of the PIN under a key that is not in the database; claim is the machine that the
-- owner picked, token the enrolment token that lived for its joining alone. changes counts what the
-- owner should look at again.
CREATE TABLE pairings (
    id {id},
    handle TEXT NOT NULL UNIQUE,
    account {bigint} NOT NULL,
    way TEXT NOT NULL CHECK (way IN ('pin', 'code')),
    pin {blob},
    draw {bigint} NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'claimed', 'confirmed', 'delivered', 'rejected',
        'expired', 'cancelled', 'locked')),
    context TEXT NOT NULL,
    revision {bigint} NOT NULL,
    site TEXT NOT NULL,
    name TEXT NOT NULL,
    network TEXT NOT NULL,
    created_at {real} NOT NULL,
    expires_at {real} NOT NULL,
    changes {bigint} NOT NULL DEFAULT 0,
    failed {bigint} NOT NULL DEFAULT 0,
    alarms {bigint} NOT NULL DEFAULT 0,
    machines {bigint} NOT NULL DEFAULT 0,
    claim {bigint},
    token {bigint},
    host {bigint}
);
CREATE UNIQUE INDEX pairings_of_pin ON pairings (pin) WHERE state IN ('waiting', 'claimed');
CREATE INDEX pairings_of_account ON pairings (account, id);
CREATE INDEX pairings_live ON pairings (expires_at)
    WHERE state IN ('waiting', 'claimed', 'confirmed');

-- A machine that said a PIN (a wrong one if it has no pairing) or shows a code. poll and code are
-- digests; said is what it says of itself (JSON).
CREATE TABLE claims (
    id {id},
    handle TEXT NOT NULL UNIQUE,
    way TEXT NOT NULL CHECK (way IN ('pin', 'code')),
    pairing {bigint},
    nonce TEXT NOT NULL,
    commitment TEXT NOT NULL,
    poll {blob} NOT NULL UNIQUE,
    code {blob} UNIQUE,
    uuid TEXT NOT NULL,
    said TEXT NOT NULL,
    address TEXT NOT NULL,
    network TEXT NOT NULL,
    at {real} NOT NULL,
    expires_at {real} NOT NULL,
    UNIQUE (nonce, commitment)
);
CREATE INDEX claims_of_network ON claims (network, at);
CREATE INDEX claims_by_time ON claims (at);
CREATE INDEX claims_of_pairing ON claims (pairing);

-- Codes typed on the page that were none.
CREATE TABLE wrong_codes (
    id {id},
    account {bigint} NOT NULL,
    at {real} NOT NULL
);
CREATE INDEX wrong_codes_of_account ON wrong_codes (account, at);

-- Until when no PIN is taken, because too many were guessed; one row.
CREATE TABLE pin_lock (
    id {bigint} PRIMARY KEY,
    until {real} NOT NULL
);

-- Which revision of which context a host shall have, and what it said became of which.
CREATE TABLE host_contexts (
    host {bigint} PRIMARY KEY,
    context TEXT NOT NULL,
    revision {bigint} NOT NULL,
    given_at {real} NOT NULL,
    reported {bigint} NOT NULL DEFAULT 0,
    outcome TEXT NOT NULL DEFAULT '',
    how TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '',
    reported_at {real}
);
CREATE INDEX host_contexts_of_context ON host_contexts (context, revision);

-- What an owner allows a machine, the UUID that it claims, and since when it is his no more.
CREATE TABLE machines (
    host {bigint} PRIMARY KEY,
    uuid TEXT NOT NULL DEFAULT '',
    cores {bigint} NOT NULL DEFAULT 0,
    memory_mb {bigint} NOT NULL DEFAULT 0,
    hours TEXT NOT NULL DEFAULT '',
    network {bigint} NOT NULL DEFAULT 1,
    unmanaged_at {real},
    unmanaged_by TEXT NOT NULL DEFAULT ''
);
CREATE INDEX machines_of_uuid ON machines (uuid) WHERE uuid <> '';

-- A context and the networks (CIDR, separated by blanks) that go with an enrolment token.
ALTER TABLE tokens ADD COLUMN context TEXT NOT NULL DEFAULT '';

ALTER TABLE tokens ADD COLUMN revision {bigint} NOT NULL DEFAULT 0;

ALTER TABLE tokens ADD COLUMN networks TEXT NOT NULL DEFAULT '';
