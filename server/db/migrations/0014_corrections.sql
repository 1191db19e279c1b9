-- Credit that is taken back or given back: entries against what was booked, with their cause, never an edit.
-- A program that does not know of them would doubt events and leave their credit.
-- oldest: 14

CREATE TABLE corrections (
    id {id},
    host {bigint} NOT NULL,
    account {bigint} NOT NULL,
    production {bigint} NOT NULL,
    events {bigint} NOT NULL CHECK (events > 0),
    micros {bigint} NOT NULL,
    cause TEXT NOT NULL,
    at {real} NOT NULL
);
CREATE INDEX corrections_of_host ON corrections (host, id);

-- What a correction gives to its host (below 0: takes), it takes from its production.
CREATE VIEW books AS
    SELECT side, subject, account, micros FROM bookings
    UNION ALL SELECT 'host', host, account, micros FROM corrections
    UNION ALL SELECT 'production', production, account, -micros FROM corrections;

-- Which credit was given on a host's word, and whether that is doubted by now: `at` tells it from what others agreed on before.
CREATE VIEW trusted_credits AS
    SELECT t.host, c.account, c.production, c.last - c.first AS events, b.micros, t.doubtful_at
    FROM taken_on_trust AS t
    JOIN tasks AS k ON k.production = t.production AND k.unit = t.unit AND k.host = t.host
    JOIN credits AS c ON c.task = k.id AND c.first >= t.first AND c.last <= t.last AND c.at >= t.at
    JOIN bookings AS b ON b.task = c.task AND b.first = c.first AND b.side = 'host';

INSERT INTO corrections (host, account, production, events, micros, cause, at)
    SELECT host, account, production, sum(events), -sum(micros),
        'doubted before credit was taken back', max(doubtful_at)
    FROM trusted_credits WHERE doubtful_at IS NOT NULL GROUP BY host, account, production;
