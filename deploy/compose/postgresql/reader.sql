-- Makes the role as which Grafana reads, and gives it the password in the file that READER_PASSWORD_FILE names. psql runs
-- it with each start, once the updater has made the tables: a new version may have new ones.
\ir ../../postgresql/reader.sql
\set password `cat "$READER_PASSWORD_FILE"`
ALTER ROLE ganeti_reader PASSWORD :'password';
