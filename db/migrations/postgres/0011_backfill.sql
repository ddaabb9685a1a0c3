-- +goose Up

-- What a new version would store differently is made anew from what is stored, in batches while the updater runs.
CREATE TABLE backfills (
    name       TEXT NOT NULL CHECK (name <> ''),
    part       TEXT NOT NULL CHECK (part <> ''),
    last_id    BIGINT NOT NULL DEFAULT 0,
    checked    BIGINT NOT NULL DEFAULT 0,
    changed    BIGINT NOT NULL DEFAULT 0,
    began_at   TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    done_at    TIMESTAMPTZ,
    PRIMARY KEY (name, part)
);
COMMENT ON TABLE backfills IS 'how far stored rows are brought to what the running version stores; done_at is set when a part is through';
COMMENT ON COLUMN backfills.name IS 'what is brought up to date: the version of the stored form and the list of hidden names';
COMMENT ON COLUMN backfills.part IS 'the table';
COMMENT ON COLUMN backfills.last_id IS 'rows up to this id are done';
