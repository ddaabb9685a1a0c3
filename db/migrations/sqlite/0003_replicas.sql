-- +goose Up

ALTER TABLE leases RENAME TO reader_leases;

CREATE TABLE replicas (
    id         TEXT PRIMARY KEY CHECK (id <> ''),
    host       TEXT NOT NULL,
    pid        INTEGER NOT NULL,
    joined_at  TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);

-- One row for each cluster. The holder's row in replicas says how long the lease holds.
CREATE TABLE leases (
    cluster_id INTEGER PRIMARY KEY REFERENCES clusters (id) ON DELETE CASCADE,
    holder     TEXT NOT NULL DEFAULT '',
    token      INTEGER NOT NULL DEFAULT 0,
    taken_at   TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

ALTER TABLE freshness ADD COLUMN lease_token INTEGER NOT NULL DEFAULT 0;
