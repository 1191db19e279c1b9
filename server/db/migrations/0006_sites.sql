-- Sites: hosts belong to one, and an order may be for all of a scope at once, in one row.
-- oldest: 1

CREATE TABLE sites (
    id {id},
    name TEXT NOT NULL UNIQUE,
    mode TEXT NOT NULL CHECK (mode IN ('online', 'stop', 'suspend', 'drain')),
    since {real} NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    created_at {real} NOT NULL
);

ALTER TABLE tokens ADD COLUMN site {bigint};

ALTER TABLE hosts ADD COLUMN site {bigint};

ALTER TABLE hosts ADD COLUMN acked {bigint} NOT NULL DEFAULT 0;

-- An order of a scope has host 0. Its subject is the id of a site or an account; members are the
-- ids of listed hosts (JSON).
ALTER TABLE commands ADD COLUMN scope TEXT NOT NULL DEFAULT 'host'
    CHECK (scope IN ('host', 'hosts', 'site', 'account', 'all'));

ALTER TABLE commands ADD COLUMN subject {bigint};

ALTER TABLE commands ADD COLUMN members TEXT NOT NULL DEFAULT '';

ALTER TABLE commands ADD COLUMN reason TEXT NOT NULL DEFAULT '';

CREATE INDEX commands_of_scopes ON commands (seq) WHERE scope <> 'host';

-- When a host had obeyed an order: released_at on its own word, heard_at when the server heard it.
CREATE TABLE releases (
    seq {bigint} NOT NULL,
    host {bigint} NOT NULL,
    released_at {real} NOT NULL,
    heard_at {real} NOT NULL,
    leases {bigint} NOT NULL,
    PRIMARY KEY (seq, host)
);
