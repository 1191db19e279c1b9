-- Alerts from the first sight to their end, who was told what of them, and the backups that were made.
-- oldest: 11

CREATE TABLE alerts (
    id {id},
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    level TEXT NOT NULL CHECK (level IN ('note', 'warn', 'bad')),
    cause TEXT NOT NULL,
    cure TEXT NOT NULL,
    href TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'acknowledged', 'over')),
    first_at {real} NOT NULL,
    since {real} NOT NULL,
    last_at {real} NOT NULL,
    count {bigint} NOT NULL CHECK (count > 0),
    over_at {real},
    acked_by TEXT NOT NULL DEFAULT '',
    acked_at {real},
    muted_until {real},
    muted_by TEXT NOT NULL DEFAULT '',
    CHECK ((state = 'over') = (over_at IS NOT NULL))
);
CREATE INDEX alerts_by_time ON alerts (last_at, id);
CREATE INDEX alerts_that_stand ON alerts (kind, subject) WHERE state <> 'over';

-- The steps of one alert are found without reading the whole log.
CREATE INDEX moves_of_alert ON moves (subject, id) WHERE machine = 'alert';

-- Of each way to tell people: what was said last of an alert, how grave it was, when it arrived.
CREATE TABLE alerts_told (
    alert {bigint} NOT NULL,
    channel TEXT NOT NULL,
    word TEXT NOT NULL CHECK (word IN ('raised', 'still', 'over')),
    level TEXT NOT NULL CHECK (level IN ('note', 'warn', 'bad')),
    at {real} NOT NULL,
    PRIMARY KEY (alert, channel)
);

CREATE TABLE backups (
    id {id},
    name TEXT NOT NULL,
    place TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('whole', 'failed', 'deleted')),
    size {bigint} NOT NULL,
    digest TEXT NOT NULL,
    began_at {real} NOT NULL,
    ended_at {real} NOT NULL,
    made_by TEXT NOT NULL,
    why TEXT NOT NULL DEFAULT ''
);
