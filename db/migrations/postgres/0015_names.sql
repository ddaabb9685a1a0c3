-- +goose Up

ALTER TABLE clusters ADD COLUMN allow_duplicate BOOLEAN NOT NULL DEFAULT FALSE;
COMMENT ON COLUMN clusters.allow_duplicate IS 'true: refreshed although another row has the same uuid; otherwise the name that came second is refused';

-- A configuration that still has the name of before leads to the same row.
CREATE TABLE cluster_former_names (
    name       TEXT PRIMARY KEY CHECK (name <> ''),
    cluster_id BIGINT NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    renamed_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE cluster_former_names IS 'names that clusters had before updater clusters rename';
