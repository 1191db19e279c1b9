-- What people gave: benchmarks of machines, certificates, teams, consent to BOINC's statistics, and orders to many machines at once.
-- oldest: 14

-- The power of a whole machine as a benchmark found it: HS06 or HEPscore23.
CREATE TABLE benchmarks (
    host {bigint} NOT NULL,
    name TEXT NOT NULL CHECK (name IN ('hs06', 'hepscore23')),
    value {real} NOT NULL CHECK (value > 0),
    told_by TEXT NOT NULL,
    at {real} NOT NULL,
    PRIMARY KEY (host, name)
);

-- facts is what was certified, as it was then (JSON); whoever has the code may see it.
CREATE TABLE certificates (
    id {id},
    code TEXT NOT NULL UNIQUE,
    account {bigint} NOT NULL,
    facts TEXT NOT NULL,
    made_at {real} NOT NULL,
    withdrawn_at {real}
);
CREATE INDEX certificates_of_account ON certificates (account, id);

CREATE TABLE teams (
    id {id},
    name TEXT NOT NULL UNIQUE,
    words TEXT NOT NULL DEFAULT '',
    url TEXT NOT NULL DEFAULT '',
    country TEXT NOT NULL DEFAULT '',
    founder {bigint} NOT NULL,
    made_at {real} NOT NULL
);

-- An account is in one team at most: the key says so.
CREATE TABLE team_members (
    account {bigint} PRIMARY KEY,
    team {bigint} NOT NULL,
    joined_at {real} NOT NULL
);
CREATE INDEX team_members_of_team ON team_members (team);

-- Who lets the statistics sites of BOINC see him. cross_id is not published: what is published is
-- the MD5 of it and the e-mail address.
CREATE TABLE stats_consents (
    account {bigint} PRIMARY KEY,
    cross_id TEXT NOT NULL,
    agreed_at {real},
    withdrawn_at {real}
);

-- An order to many machines: nothing is done before begins_at, and until then it can be undone.
CREATE TABLE bulk_orders (
    id {id},
    action TEXT NOT NULL,
    args TEXT NOT NULL,
    subjects TEXT NOT NULL,
    made_by TEXT NOT NULL,
    made_at {real} NOT NULL,
    begins_at {real} NOT NULL,
    undone_at {real},
    undone_by TEXT NOT NULL DEFAULT '',
    done_at {real},
    outcome TEXT NOT NULL DEFAULT ''
);
CREATE INDEX bulk_orders_waiting ON bulk_orders (begins_at) WHERE done_at IS NULL AND undone_at IS NULL;
