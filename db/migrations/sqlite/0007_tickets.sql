-- +goose Up

-- The order of all requests to RAPI, whoever sends them and whatever their clocks say: each draws a number before it is
-- sent, and what it shows is as new as its number is great. Rows of before have none and count as oldest.
CREATE TABLE request_tickets (
    only_row   BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    last_value INTEGER NOT NULL
);
INSERT INTO request_tickets (last_value) VALUES (0);

ALTER TABLE clusters ADD COLUMN ticket INTEGER NOT NULL DEFAULT 0;
ALTER TABLE virtual_machines ADD COLUMN ticket INTEGER NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN ticket INTEGER NOT NULL DEFAULT 0;
ALTER TABLE node_groups ADD COLUMN ticket INTEGER NOT NULL DEFAULT 0;
ALTER TABLE networks ADD COLUMN ticket INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN ticket INTEGER NOT NULL DEFAULT 0;
ALTER TABLE freshness ADD COLUMN attempt_ticket INTEGER NOT NULL DEFAULT 0;
ALTER TABLE freshness ADD COLUMN snapshot_ticket INTEGER NOT NULL DEFAULT 0;

-- 0: a replica of an older version, which does not say.
ALTER TABLE replicas ADD COLUMN ttl_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE replicas ADD COLUMN clock_offset_ms INTEGER NOT NULL DEFAULT 0;
