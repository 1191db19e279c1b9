-- Histograms of the physics of productions, filled from the blobs of settled units.
-- oldest: 1

-- done are the units that were read (JSON pairs, from and up to), units how many; sheet is JSON.
CREATE TABLE plots (
    production {bigint} PRIMARY KEY,
    wanted {bigint} NOT NULL,
    units {bigint} NOT NULL,
    done TEXT NOT NULL,
    sheet TEXT NOT NULL
);
