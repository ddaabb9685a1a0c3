-- The role of programs that only read: web managers, portals, dashboards, reports. It sees the cached objects and the
-- views of docs/sql.md, and changes nothing.
--
-- What is not granted on purpose:
--   clusters.password_sealed, password_file and the other settings below `updater clusters add`: a sealed password is
--     ciphertext, but ciphertext that nobody holds needs no guarding. So clusters is granted column by column.
--   leases, reader_leases, replicas, cluster_revision, cluster_former_names, ganeti_cache_schema: the updater's own housekeeping.
-- There are no default privileges: a table of a later version is not readable until this file, as that version ships it,
-- is run again. A new table may hold a secret, and nobody could take back what was readable for a day.
--
-- No lock that this role can get stops anybody: those of rows and the stronger ones of tables need the right to write.
--
-- credentials_hash is granted: programs find their RAPI client by it. It is a keyed hash, and the key is not in the database.
--
-- Run it as a superuser, behind owner.sql and `updater schema apply`; owner.sql says how.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ganeti_reader') THEN
        CREATE ROLE ganeti_reader;
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO ganeti_reader', current_database());
END
$$;
ALTER ROLE ganeti_reader LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
GRANT USAGE ON SCHEMA public TO ganeti_reader;

-- What an older version of this file, or somebody in a hurry, granted beyond the list goes.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ganeti_reader;
GRANT SELECT ON vms, cluster_status, cluster_usage, virtual_machines, nodes, node_groups, networks, jobs, changes, permissions,
    freshness, quarantine, change_log, change_epochs, withheld_removals, backfills TO ganeti_reader;
GRANT SELECT (id, name, uuid, rapi_host, rapi_port, rapi_username, credentials_hash, enabled, source, ganeti_name,
    software_version, master_node, tags, info, observed_at) ON clusters TO ganeti_reader;

-- Not protection, since a session may set them otherwise, but a report that forgets to commit or to end harms nobody.
ALTER ROLE ganeti_reader SET default_transaction_read_only = on;
ALTER ROLE ganeti_reader SET statement_timeout = '30s';
