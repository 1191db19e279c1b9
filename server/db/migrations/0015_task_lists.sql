-- Lists of tasks are read by index: of a host, of a production, of rare states, by their ends.
-- oldest: 1

-- Waiting ranges have no host, so that what is cut and put back never touches these two.
CREATE INDEX tasks_of_host ON tasks (host, id) WHERE host IS NOT NULL;
CREATE INDEX tasks_of_production ON tasks (production, id) WHERE host IS NOT NULL;
CREATE INDEX tasks_ended ON tasks (ended_at, id) WHERE ended_at IS NOT NULL;
CREATE INDEX tasks_returned ON tasks (id) WHERE state = 'returned';
CREATE INDEX tasks_expired ON tasks (id) WHERE state = 'expired';
CREATE INDEX tasks_aborted ON tasks (id) WHERE state = 'aborted';
CREATE INDEX tasks_withdrawn ON tasks (id) WHERE state = 'withdrawn';
CREATE INDEX findings_by_kind ON findings (kind, task);
CREATE INDEX moves_of_task ON moves (subject, id) WHERE machine = 'task';
