-- +goose Up

-- What a new version would store differently is made anew from what is stored, in batches while the updater runs.
CREATE TABLE backfills (
    name       TEXT NOT NULL CHECK (name <> ''),
    part       TEXT NOT NULL CHECK (part <> ''),
    last_id    INTEGER NOT NULL DEFAULT 0,
    checked    INTEGER NOT NULL DEFAULT 0,
    changed    INTEGER NOT NULL DEFAULT 0,
    began_at   TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    updated_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    done_at    TIMESTAMP,
    PRIMARY KEY (name, part)
);
