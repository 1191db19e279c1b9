-- Contexts, their revisions that never change, with whom they are shared, the defaults below them,
-- and the boards on which the machines of a cluster find each other.
-- oldest: 1

-- An id is 32 hex digits. listed and proposed are numbers of revisions, 0 for none: what everybody
-- may use, and what waits to be read. site names whose defaults lie below it, role those of a role.
CREATE TABLE contexts (
    id TEXT PRIMARY KEY,
    owner {bigint} NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    visibility TEXT NOT NULL CHECK (visibility IN ('private', 'group', 'site', 'public')),
    review TEXT NOT NULL CHECK (review IN ('none', 'waiting', 'listed', 'refused')),
    proposed {bigint} NOT NULL DEFAULT 0,
    listed {bigint} NOT NULL DEFAULT 0,
    review_note TEXT NOT NULL DEFAULT '',
    tags TEXT NOT NULL DEFAULT '',
    site TEXT NOT NULL DEFAULT '',
    role TEXT NOT NULL DEFAULT '',
    template {bigint} NOT NULL DEFAULT 0,
    sealed {bigint} NOT NULL DEFAULT 0,
    revision {bigint} NOT NULL,
    created_at {real} NOT NULL,
    changed_at {real} NOT NULL,
    removed_at {real}
);
CREATE INDEX contexts_of_owner ON contexts (owner);
CREATE INDEX contexts_by_visibility ON contexts (visibility);

-- A document without its secret values (JSON), or the envelope that only its owner can open.
-- secrets are the secret values, encrypted with a key that is no part of the database.
CREATE TABLE context_revisions (
    context TEXT NOT NULL,
    number {bigint} NOT NULL,
    document TEXT NOT NULL,
    secrets {blob},
    sealed {bigint} NOT NULL DEFAULT 0,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    note TEXT NOT NULL,
    by_account {bigint} NOT NULL,
    at {real} NOT NULL,
    PRIMARY KEY (context, number)
);

CREATE TABLE context_shares (
    context TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('group', 'site')),
    name TEXT NOT NULL,
    PRIMARY KEY (context, kind, name)
);
CREATE INDEX context_shares_of_whom ON context_shares (kind, name);

CREATE TABLE context_uses (
    context TEXT NOT NULL,
    account {bigint} NOT NULL,
    times {bigint} NOT NULL,
    used_at {real} NOT NULL,
    PRIMARY KEY (context, account)
);

-- What contexts start from; subject is the name of a site, a role or an account, '' for all.
CREATE TABLE context_defaults (
    layer TEXT NOT NULL CHECK (layer IN ('experiment', 'site', 'role', 'user')),
    subject TEXT NOT NULL,
    number {bigint} NOT NULL,
    document TEXT NOT NULL,
    secrets {blob},
    by_account {bigint} NOT NULL,
    at {real} NOT NULL,
    PRIMARY KEY (layer, subject, number)
);

-- Boards are found by a digest of their PIN, made with a key that is no part of the database.
CREATE TABLE clusters (
    pin {blob} PRIMARY KEY,
    account {bigint} NOT NULL,
    hint TEXT NOT NULL,
    note TEXT NOT NULL,
    created_at {real} NOT NULL,
    expires_at {real} NOT NULL
);
CREATE INDEX clusters_of_account ON clusters (account);

CREATE TABLE cluster_values (
    pin {blob} NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    changed_at {real} NOT NULL,
    PRIMARY KEY (pin, name)
);
