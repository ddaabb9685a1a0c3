-- +goose Up

-- One row about the table changes.
CREATE TABLE change_log (
    only_row       BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    recorded_at    TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now') || '+00:00'),
    complete_from  TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now') || '+00:00'),
    kept_after     INTEGER NOT NULL DEFAULT 0,
    retention_days INTEGER NOT NULL DEFAULT 0 CHECK (retention_days >= 0)
);
INSERT INTO change_log (retention_days) SELECT CASE WHEN EXISTS (SELECT 1 FROM clusters) THEN 0 ELSE 365 END;

-- SQLite changes no check of a table that is there. The highest id that was given out goes along.
CREATE TABLE changes_new (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    cluster_id  INTEGER NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('cluster', 'vm', 'node', 'group', 'network', 'job')),
    object_id   INTEGER NOT NULL,
    uuid        TEXT NOT NULL,
    name        TEXT NOT NULL,
    op          TEXT NOT NULL CHECK (op IN ('created', 'updated', 'renamed', 'removed', 'restored', 'purged')),
    fields      TEXT,
    observed_at TIMESTAMP NOT NULL,
    recorded_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now') || '+00:00'),
    object      TEXT
);
INSERT INTO changes_new (id, cluster_id, kind, object_id, uuid, name, op, fields, observed_at, recorded_at)
SELECT h.id, h.cluster_id, h.kind, h.object_id, h.uuid, h.name, h.op, h.fields, h.observed_at, l.recorded_at
FROM changes h, change_log l ORDER BY h.id;
DELETE FROM sqlite_sequence WHERE name = 'changes_new';
UPDATE sqlite_sequence SET name = 'changes_new' WHERE name = 'changes';
DROP TABLE changes;
ALTER TABLE changes_new RENAME TO changes;
CREATE INDEX changes_object ON changes (kind, object_id);
CREATE INDEX changes_observed_at ON changes (kind, observed_at);
