-- People: how an account is signed in to, by which sessions, who did what; groups and site admins.
-- A program that does not know of disabled accounts would let them in.
-- oldest: 11

ALTER TABLE accounts ADD COLUMN email TEXT NOT NULL DEFAULT '';

ALTER TABLE accounts ADD COLUMN email_checked_at {real};

ALTER TABLE accounts ADD COLUMN full_name TEXT NOT NULL DEFAULT '';

ALTER TABLE accounts ADD COLUMN state TEXT NOT NULL DEFAULT 'active'
    CHECK (state IN ('active', 'disabled'));

-- An address opens an account only after it was shown to be its owner's, and then only one.
CREATE UNIQUE INDEX accounts_of_email ON accounts (email) WHERE email_checked_at IS NOT NULL;

-- Apart from accounts, so that no listing of those ever reads them. The TOTP secret is sealed with
-- a key that is not in the database; totp_step is the last step that a code was taken of.
CREATE TABLE credentials (
    account {bigint} PRIMARY KEY,
    password TEXT NOT NULL DEFAULT '',
    password_at {real},
    totp {blob},
    totp_at {real},
    totp_step {bigint} NOT NULL DEFAULT 0
);

CREATE TABLE recovery_codes (
    account {bigint} NOT NULL,
    hash {blob} NOT NULL,
    used_at {real},
    PRIMARY KEY (account, hash)
);

CREATE TABLE identities (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    account {bigint} NOT NULL,
    provider TEXT NOT NULL,
    linked_at {real} NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_of_account ON identities (account);

-- A half session has shown a password and has yet to show a code.
CREATE TABLE sessions (
    id {id},
    account {bigint} NOT NULL,
    hash {blob} NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('half', 'open')),
    how TEXT NOT NULL,
    created_at {real} NOT NULL,
    seen_at {real} NOT NULL,
    ends_at {real} NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    revoked_at {real}
);
CREATE INDEX sessions_of_account ON sessions (account, id);

CREATE TABLE links (
    id {id},
    kind TEXT NOT NULL CHECK (kind IN ('invitation', 'reset', 'email')),
    hash {blob} NOT NULL UNIQUE,
    account {bigint},
    email TEXT NOT NULL DEFAULT '',
    role TEXT NOT NULL DEFAULT 'volunteer',
    note TEXT NOT NULL DEFAULT '',
    made_by TEXT NOT NULL,
    made_at {real} NOT NULL,
    expires_at {real} NOT NULL,
    used_at {real},
    revoked_at {real}
);
CREATE INDEX links_of_account ON links (account, kind);

CREATE TABLE audit (
    id {id},
    at {real} NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    subject TEXT NOT NULL,
    details TEXT NOT NULL,
    address TEXT NOT NULL DEFAULT ''
);
CREATE INDEX audit_of_who ON audit (who, id);
CREATE INDEX audit_of_subject ON audit (subject, id);

CREATE TABLE ssh_keys (
    id {id},
    account {bigint} NOT NULL,
    fingerprint TEXT NOT NULL,
    name TEXT NOT NULL,
    line TEXT NOT NULL,
    added_at {real} NOT NULL,
    UNIQUE (account, fingerprint)
);

CREATE TABLE account_groups (
    id {id},
    name TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL DEFAULT '',
    created_at {real} NOT NULL
);

CREATE TABLE group_members (
    group_id {bigint} NOT NULL,
    account {bigint} NOT NULL,
    is_admin {bigint} NOT NULL DEFAULT 0 CHECK (is_admin IN (0, 1)),
    added_at {real} NOT NULL,
    PRIMARY KEY (group_id, account)
);
CREATE INDEX groups_of_account ON group_members (account);

CREATE TABLE site_admins (
    site {bigint} NOT NULL,
    account {bigint} NOT NULL,
    added_at {real} NOT NULL,
    PRIMARY KEY (site, account)
);
CREATE INDEX sites_of_admin ON site_admins (account);

-- What a token may do beside its account's role: words of server/domain/scopes.py; * is all.
ALTER TABLE tokens ADD COLUMN scopes TEXT NOT NULL DEFAULT '*';
