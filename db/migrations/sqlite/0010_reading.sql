-- +goose Up

-- Who writes to changes for the first time begins an epoch; a cursor of a history that is gone carries another one.
CREATE TABLE change_epochs (
    first_id INTEGER PRIMARY KEY,
    epoch    TEXT NOT NULL UNIQUE CHECK (epoch <> ''),
    begun_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- What the guard keeps back, object by object, so that an approval is about these and no others.
CREATE TABLE withheld_removals (
    cluster_id INTEGER NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    kind       TEXT NOT NULL CHECK (kind IN ('vm', 'node', 'group', 'network', 'job')),
    uuid       TEXT NOT NULL,
    name       TEXT NOT NULL,
    approved   BOOLEAN NOT NULL DEFAULT false,
    PRIMARY KEY (cluster_id, kind, uuid)
);

-- What the guard counts between complete answers.
CREATE TABLE guard_counts (
    cluster_id   INTEGER NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    kind         TEXT NOT NULL CHECK (kind IN ('vm', 'node', 'group', 'network', 'job')),
    singles      INTEGER NOT NULL DEFAULT 0,
    singles_of   TIMESTAMP,
    live_before  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (cluster_id, kind)
);

