-- +goose Up
ALTER TABLE clusters
    ADD COLUMN tls_min_version TEXT NOT NULL DEFAULT '',
    ADD COLUMN settings_sealed TEXT NOT NULL DEFAULT '';
COMMENT ON COLUMN clusters.tls_min_version IS 'oldest version of TLS that is spoken; empty: 1.2';
COMMENT ON COLUMN clusters.password_sealed IS 'RAPI password together with address, user and TLS settings, bound to the id, AES-256-GCM under a key that is not in the database; where a column differs from it the cluster is not asked';
COMMENT ON COLUMN clusters.settings_sealed IS 'beside password_file: name of the file, address, user and TLS settings, sealed like password_sealed';

ALTER TABLE cluster_revision ADD COLUMN old_seals_ended BOOLEAN NOT NULL DEFAULT FALSE;
COMMENT ON COLUMN cluster_revision.old_seals_ended IS 'true once updater clusters reseal has replaced every seal of the format without settings: none is accepted any more';

-- +goose Down
ALTER TABLE cluster_revision DROP COLUMN old_seals_ended;
ALTER TABLE clusters DROP COLUMN settings_sealed, DROP COLUMN tls_min_version;
