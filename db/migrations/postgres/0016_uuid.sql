-- +goose NO TRANSACTION
-- +goose Up

-- Each refresh asks whether another cluster has the uuid. What an attempt that was broken off left is dropped first.
DROP INDEX CONCURRENTLY IF EXISTS clusters_uuid;
CREATE INDEX CONCURRENTLY clusters_uuid ON clusters (uuid);
