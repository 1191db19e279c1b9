-- The steps of one host are found without reading the whole log.
-- oldest: 1

CREATE INDEX moves_of_host ON moves (subject, id) WHERE machine = 'host';
