-- +goose Up

ALTER TABLE clusters ADD COLUMN allow_duplicate BOOLEAN NOT NULL DEFAULT FALSE;

-- A configuration that still has the name of before leads to the same row.
CREATE TABLE cluster_former_names (
    name       TEXT PRIMARY KEY CHECK (name <> ''),
    cluster_id INTEGER NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    renamed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
