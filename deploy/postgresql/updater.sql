-- The role of the running updater: it reads and writes rows, and can neither make nor change nor drop a table. It is the
-- user of database_url in the configuration. Without the right to migrate, a new version asks for `updater schema apply` by
-- the owner before it starts.
--
-- Run it as a superuser, behind owner.sql and `updater schema apply`; owner.sql says how.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ganeti_updater') THEN
        CREATE ROLE ganeti_updater;
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO ganeti_updater', current_database());
END
$$;
ALTER ROLE ganeti_updater LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
GRANT USAGE ON SCHEMA public TO ganeti_updater;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ganeti_updater;
-- Each request to RAPI draws a number.
GRANT USAGE, SELECT ON SEQUENCE request_tickets TO ganeti_updater;

-- Tables of later versions, whoever forgets to run this file again.
ALTER DEFAULT PRIVILEGES FOR ROLE ganeti_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ganeti_updater;

-- Which migrations have run is for the owner to write.
REVOKE INSERT, UPDATE, DELETE ON ganeti_cache_schema FROM ganeti_updater;
