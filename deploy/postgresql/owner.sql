-- The role that owns the tables and changes them: `updater schema apply` runs as it, once for each new version, and
-- nothing else does.
--
-- Run it as a superuser, in a database of its own for the cache, which it closes to everybody else:
--
--     createdb ganeti_cache
--     psql -d ganeti_cache -v ON_ERROR_STOP=1 -1 -f owner.sql
--     psql -d ganeti_cache -c '\password ganeti_owner'
--     updater schema apply --database 'postgres://ganeti_owner@HOST/ganeti_cache?sslmode=verify-full'
--     psql -d ganeti_cache -v ON_ERROR_STOP=1 -1 -f updater.sql -f reader.sql
--     psql -d ganeti_cache -c '\password ganeti_updater' -c '\password ganeti_reader'
--
-- All three may be run again at any time: after a new version, run updater.sql and reader.sql behind `schema apply`.
-- Where another role has made the tables already, give them to this one first: REASSIGN OWNED BY that_role TO ganeti_owner;
-- For other names, replace them in all three files.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ganeti_owner') THEN
        CREATE ROLE ganeti_owner;
    END IF;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO ganeti_owner', current_database());
END
$$;
ALTER ROLE ganeti_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;

-- Before PostgreSQL 15 everybody may create tables in the schema public, and could put one in the way of the updater's.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO ganeti_owner;
