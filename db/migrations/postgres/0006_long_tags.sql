-- +goose NO TRANSACTION
-- +goose Up

-- PostgreSQL refuses words of 2,048 bytes and more, since its minor releases of 2026 in array_to_tsvector, too, and a
-- tsvector of more than a megabyte. One VM must not stop the others of its cluster: what does not fit is left out, and the
-- word E'\x01' says so, by which searches find the VMs that have to be looked at one by one.
-- Names are qualified, so that no search_path of a session changes what is in the index.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION ganeti_cache_tag_words(tags TEXT[]) RETURNS tsvector
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 10 AS $$
DECLARE
    words TEXT[];
BEGIN
    IF pg_catalog.octet_length(pg_catalog.array_to_string(tags, '')) OPERATOR(pg_catalog.<) 2047 THEN
        RETURN pg_catalog.array_to_tsvector(pg_catalog.array_remove(pg_catalog.array_remove(tags, NULL), ''));
    END IF;
    SELECT pg_catalog.array_agg(
               CASE WHEN s.size OPERATOR(pg_catalog.<) 2047 AND s.upto OPERATOR(pg_catalog.<=) 500000
                    THEN s.word ELSE E'\x01' END)
    INTO words
    FROM (
        SELECT t.word, t.size, pg_catalog.sum(t.size) OVER (ORDER BY t.size, t.word COLLATE pg_catalog."C") AS upto
        FROM (SELECT DISTINCT u.word, pg_catalog.octet_length(u.word) AS size FROM pg_catalog.unnest(tags) AS u (word)) t
        WHERE t.size OPERATOR(pg_catalog.>) 0
    ) s;
    RETURN pg_catalog.array_to_tsvector(words);
END
$$;
-- +goose StatementEnd
GRANT EXECUTE ON FUNCTION ganeti_cache_tag_words(TEXT[]) TO PUBLIC;
COMMENT ON FUNCTION ganeti_cache_tag_words(TEXT[]) IS 'the tags of a VM as the words of an index, by which prefixes are found; E''\x01'' stands for those that no index takes';

-- Readers and writers go on while the index is made; what an attempt that was broken off left is dropped first.
DROP INDEX CONCURRENTLY IF EXISTS virtual_machines_lists_next;
CREATE INDEX CONCURRENTLY virtual_machines_lists_next ON virtual_machines USING gin
    (tags, nic_ips, nic_macs, nic_networks, secondary_nodes, ganeti_cache_tag_words(tags));
DROP INDEX CONCURRENTLY IF EXISTS virtual_machines_lists;
ALTER INDEX virtual_machines_lists_next RENAME TO virtual_machines_lists;

-- What the planner knows of the words belongs to the index, and is new with it.
ANALYZE virtual_machines;
