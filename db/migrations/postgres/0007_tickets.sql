-- +goose Up

-- The order of all requests to RAPI, whoever sends them and whatever their clocks say: each draws a number before it is
-- sent, and what it shows is as new as its number is great. Rows of before have none and count as oldest.
CREATE SEQUENCE request_tickets;
COMMENT ON SEQUENCE request_tickets IS 'each request to RAPI draws a number before it is sent; the greater one is newer, whatever clocks say';

ALTER TABLE clusters ADD COLUMN ticket BIGINT NOT NULL DEFAULT 0;
ALTER TABLE virtual_machines ADD COLUMN ticket BIGINT NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN ticket BIGINT NOT NULL DEFAULT 0;
ALTER TABLE node_groups ADD COLUMN ticket BIGINT NOT NULL DEFAULT 0;
ALTER TABLE networks ADD COLUMN ticket BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN ticket BIGINT NOT NULL DEFAULT 0;
COMMENT ON COLUMN virtual_machines.ticket IS 'number of the request that produced this row''s content; likewise in the other tables';
ALTER TABLE freshness
    ADD COLUMN attempt_ticket  BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN snapshot_ticket BIGINT NOT NULL DEFAULT 0;
COMMENT ON COLUMN freshness.snapshot_ticket IS 'number of the request whose complete answer was applied last: what orders answers; times inform';

-- 0: a replica of an older version, which does not say.
ALTER TABLE replicas
    ADD COLUMN ttl_ms BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN clock_offset_ms BIGINT NOT NULL DEFAULT 0;
COMMENT ON COLUMN replicas.ttl_ms IS 'the lease time of this replica: expires_at is never further away than that';
COMMENT ON COLUMN replicas.clock_offset_ms IS 'its clock less the database''s, as its last heartbeat measured it';

-- Whoever writes rows draws tickets: also a role that was granted the former before there were the latter.
-- +goose StatementBegin
DO $$
DECLARE
    writer OID;
BEGIN
    FOR writer IN
        SELECT acl.grantee FROM pg_class c, aclexplode(c.relacl) acl
        WHERE c.oid = 'virtual_machines'::regclass AND acl.privilege_type = 'INSERT' AND acl.grantee <> 0
    LOOP
        EXECUTE format('GRANT USAGE, SELECT ON SEQUENCE request_tickets TO %I', pg_get_userbyid(writer));
    END LOOP;
END
$$;
-- +goose StatementEnd
