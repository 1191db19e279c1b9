-- The PIN of a board as its maker may read it again: encrypted with a key that is not in the database.
-- oldest: 1

ALTER TABLE clusters ADD COLUMN closed {blob};
