-- +goose Up

-- Who writes to changes for the first time begins an epoch. A database that was restored has the epochs up to its back-up and
-- then others than those that were there: so a cursor of a history that is gone is recognised by the epoch it carries.
CREATE TABLE change_epochs (
    first_id BIGINT PRIMARY KEY,
    epoch    TEXT NOT NULL UNIQUE CHECK (epoch <> ''),
    begun_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE change_epochs IS 'the entries of changes from first_id on were written in this epoch, up to the next one';

-- The last id that changes gave out, whether or not its entry is still there. Roles that may not read the sequence may ask
-- for this number, whatever their search_path.
CREATE FUNCTION last_change_id() RETURNS BIGINT
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS 'SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence(''changes'', ''id'')::regclass), 0)';
COMMENT ON FUNCTION last_change_id() IS 'the last id that changes gave out; never goes down, other than max(id)';

-- What the guard keeps back, object by object, so that an approval is about these and no others.
CREATE TABLE withheld_removals (
    cluster_id BIGINT NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    kind       TEXT NOT NULL CHECK (kind IN ('vm', 'node', 'group', 'network', 'job')),
    uuid       TEXT NOT NULL,
    name       TEXT NOT NULL,
    approved   BOOLEAN NOT NULL DEFAULT false,
    PRIMARY KEY (cluster_id, kind, uuid)
);
COMMENT ON TABLE withheld_removals IS 'objects that the last complete answer lacked and whose removal the guard withholds; they count while freshness.pending_count > 0';
COMMENT ON COLUMN withheld_removals.approved IS 'the next complete answer may remove it';

-- What the guard counts between complete answers.
CREATE TABLE guard_counts (
    cluster_id   BIGINT NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    kind         TEXT NOT NULL CHECK (kind IN ('vm', 'node', 'group', 'network', 'job')),
    singles      BIGINT NOT NULL DEFAULT 0,
    singles_of   TIMESTAMPTZ,
    live_before  BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (cluster_id, kind)
);
COMMENT ON COLUMN guard_counts.singles IS 'objects removed one by one since the complete answer of singles_of (freshness.snapshot_at)';
COMMENT ON COLUMN guard_counts.live_before IS 'live objects when removals began to be withheld';

