-- +goose Up

-- Each refresh asks whether another cluster has the uuid.
CREATE INDEX clusters_uuid ON clusters (uuid);
