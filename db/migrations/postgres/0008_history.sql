-- +goose Up

-- One row, which whoever appends to changes locks until the commit. A lock that needs no right, such as an advisory one,
-- would let everybody who may connect stop all writing.
CREATE TABLE change_log (
    only_row       BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    recorded_at    TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    complete_from  TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    kept_after     BIGINT NOT NULL DEFAULT 0,
    retention_days INTEGER NOT NULL DEFAULT 0 CHECK (retention_days >= 0)
) WITH (fillfactor = 10);
COMMENT ON TABLE change_log IS 'one row about the table changes; who appends to that locks it';
COMMENT ON COLUMN change_log.recorded_at IS 'changes.recorded_at of the newest entry';
COMMENT ON COLUMN change_log.complete_from IS 'rows can be rebuilt as of this time or any later one';
COMMENT ON COLUMN change_log.kept_after IS 'entries up to this id are no longer kept';
COMMENT ON COLUMN change_log.retention_days IS 'how long entries are kept where the configuration says nothing; 0: for ever';

-- Whoever has kept a history so far goes on keeping it; a new database keeps a year's.
INSERT INTO change_log (retention_days) SELECT CASE WHEN EXISTS (SELECT 1 FROM clusters) THEN 0 ELSE 365 END;

-- now() is the same for all rows, so that none is written: what is there was recorded by now.
ALTER TABLE changes ADD COLUMN recorded_at TIMESTAMPTZ NOT NULL DEFAULT now();
ALTER TABLE changes ALTER COLUMN recorded_at SET DEFAULT clock_timestamp();
ALTER TABLE changes ADD COLUMN object JSONB;
-- The rows that are there keep to the check of before, which is narrower: they need not be read.
ALTER TABLE changes DROP CONSTRAINT changes_op_check;
ALTER TABLE changes ADD CONSTRAINT changes_op_check
    CHECK (op IN ('created', 'updated', 'renamed', 'removed', 'restored', 'purged')) NOT VALID;
COMMENT ON COLUMN changes.fields IS '{"column": {"old": ..., "new": ...}}, and {"/path/in/info": ...} by JSON Pointer; NULL for created, removed and purged';
COMMENT ON COLUMN changes.object IS 'the whole row as it was before it was removed or purged; NULL for other operations';
COMMENT ON COLUMN changes.recorded_at IS 'when the entry was written, by the database''s clock; never decreases with the id';

-- +goose StatementBegin
DO $$
BEGIN
    ALTER TABLE changes ALTER COLUMN object SET COMPRESSION lz4;
EXCEPTION
    WHEN feature_not_supported THEN
        RAISE NOTICE 'this server has no lz4; object is compressed with the default method';
END
$$;
-- +goose StatementEnd

-- The turn of those who append in other ways than the updater of today: one of before, which an upgrade has not stopped yet,
-- or somebody at a prompt. It is fired before ids are drawn.
-- +goose StatementBegin
CREATE FUNCTION change_log_turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SELECT 1 FROM %I.change_log FOR UPDATE', TG_TABLE_SCHEMA);
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER changes_turn BEFORE INSERT ON changes FOR EACH STATEMENT EXECUTE FUNCTION change_log_turn();
