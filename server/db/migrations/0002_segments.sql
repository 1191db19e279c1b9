-- The segments to which nothing more is written, and whose frames all have their rows.
-- oldest: 2

CREATE TABLE segments_closed (
    number {bigint} PRIMARY KEY
);
