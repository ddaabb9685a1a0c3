-- +goose Up
ALTER TABLE clusters ADD COLUMN tls_min_version TEXT NOT NULL DEFAULT '';
ALTER TABLE clusters ADD COLUMN settings_sealed TEXT NOT NULL DEFAULT '';
ALTER TABLE cluster_revision ADD COLUMN old_seals_ended BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
ALTER TABLE cluster_revision DROP COLUMN old_seals_ended;
ALTER TABLE clusters DROP COLUMN settings_sealed;
ALTER TABLE clusters DROP COLUMN tls_min_version;
