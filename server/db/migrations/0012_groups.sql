-- Groups and sites as people manage them: who is asked into a group, what an invitation brings.
-- Programs that do not know of this pass it over: nobody is a member by being asked.
-- oldest: 11

CREATE TABLE group_invitations (
    group_id {bigint} NOT NULL,
    account {bigint} NOT NULL,
    made_by TEXT NOT NULL,
    made_at {real} NOT NULL,
    PRIMARY KEY (group_id, account)
);
CREATE INDEX group_invitations_of_account ON group_invitations (account);

-- Who follows an invitation is called so, joins these groups, and runs this site.
ALTER TABLE links ADD COLUMN full_name TEXT NOT NULL DEFAULT '';

ALTER TABLE links ADD COLUMN site {bigint};

CREATE TABLE link_groups (
    link {bigint} NOT NULL,
    group_id {bigint} NOT NULL,
    PRIMARY KEY (link, group_id)
);
