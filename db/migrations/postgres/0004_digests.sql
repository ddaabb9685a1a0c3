-- +goose Up

ALTER TABLE clusters ADD COLUMN digest_seed BIGINT NOT NULL DEFAULT 0;
UPDATE clusters SET digest_seed = hashtextextended(gen_random_uuid()::text, 0);

COMMENT ON COLUMN clusters.digest_seed IS 'drawn at random: the seed of the digests of the cluster''s objects';
COMMENT ON COLUMN virtual_machines.digest IS 'length and hash of the object as sent: the change token';
