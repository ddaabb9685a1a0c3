-- +goose Up

-- A reader that has a stale object refreshed takes this one; the name leases is for those who refresh on schedule.
ALTER TABLE leases RENAME TO reader_leases;
ALTER TABLE reader_leases RENAME CONSTRAINT leases_pkey TO reader_leases_pkey;
ALTER TABLE reader_leases RENAME CONSTRAINT leases_cluster_id_fkey TO reader_leases_cluster_id_fkey;
COMMENT ON TABLE reader_leases IS 'which process asks a cluster on behalf of readers at this moment; a row whose expires_at is past is free to take';

CREATE TABLE replicas (
    id         TEXT PRIMARY KEY CHECK (id <> ''),
    host       TEXT NOT NULL,
    pid        INTEGER NOT NULL,
    joined_at  TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE replicas IS 'the running updaters; one whose expires_at is past was not heard of for the lease time and has lost its clusters';

-- One row for each cluster. The holder's row in replicas says how long the lease holds, so that a heartbeat writes one
-- row however many clusters there are.
CREATE TABLE leases (
    cluster_id BIGINT PRIMARY KEY REFERENCES clusters (id) ON DELETE CASCADE,
    holder     TEXT NOT NULL DEFAULT '',
    token      BIGINT NOT NULL DEFAULT 0,
    taken_at   TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE leases IS 'which updater refreshes a cluster on schedule; holder is replicas.id, empty: nobody';
COMMENT ON COLUMN leases.token IS 'fencing token: grows with each take-over; a transaction that writes checks it and keeps the row locked';
COMMENT ON COLUMN leases.taken_at IS 'when the lease came to its holder, or was given back';

ALTER TABLE freshness ADD COLUMN lease_token BIGINT NOT NULL DEFAULT 0;
COMMENT ON COLUMN freshness.lease_token IS 'fencing token of the last writer of this row; 0: it needed no lease (a one-shot, a reader)';
