-- +goose Up

-- The seed of the digests of the cluster's objects, drawn at random.
ALTER TABLE clusters ADD COLUMN digest_seed INTEGER NOT NULL DEFAULT 0;
UPDATE clusters SET digest_seed = random();
