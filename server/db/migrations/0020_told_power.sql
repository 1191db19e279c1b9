-- What a core of a host does in each benchmark on the machine's own word (its Machine/Job Features): 0 is unknown.
-- The table benchmarks keeps what operators said of the whole machine; that counts for more.
-- oldest: 19

ALTER TABLE hosts ADD COLUMN hs06_told {real} NOT NULL DEFAULT 0 CHECK (hs06_told >= 0 AND hs06_told <= 100);
ALTER TABLE hosts ADD COLUMN hepscore23_told {real} NOT NULL DEFAULT 0 CHECK (hepscore23_told >= 0 AND hepscore23_told <= 100);
ALTER TABLE hosts ADD COLUMN power_told_at {real};
