-- +goose Up

-- leases
-- The right of one process to refresh one cluster, by the database's clock. The token grows with each take-over.
CREATE TABLE leases (
    cluster_id BIGINT PRIMARY KEY REFERENCES clusters (id) ON DELETE CASCADE,
    holder     TEXT NOT NULL,
    token      BIGINT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE leases IS 'who refreshes a cluster at this moment; a row whose expires_at is past is free to take';
COMMENT ON COLUMN leases.token IS 'grows with each take-over, so that a holder that lost its lease can be told';

-- search
-- Names compare by their bytes: both databases sort alike, the part of a name before a wildcard is a range of the plain
-- index, and no update of the C library's collations can make an index wrong.
DROP VIEW vms;
ALTER TABLE virtual_machines
    ALTER COLUMN name          TYPE TEXT COLLATE "C",
    ALTER COLUMN status        TYPE TEXT COLLATE "C",
    ALTER COLUMN primary_node  TYPE TEXT COLLATE "C",
    ALTER COLUMN os            TYPE TEXT COLLATE "C",
    ALTER COLUMN disk_template TYPE TEXT COLLATE "C";
ALTER TABLE nodes ALTER COLUMN name TYPE TEXT COLLATE "C";
ALTER TABLE node_groups ALTER COLUMN name TYPE TEXT COLLATE "C";
ALTER TABLE networks ALTER COLUMN name TYPE TEXT COLLATE "C";
ALTER TABLE jobs ALTER COLUMN name TYPE TEXT COLLATE "C";

-- One index for all lists, which costs less to keep than one for each. The last element finds tags by their beginning.
DROP INDEX virtual_machines_tags;
DROP INDEX virtual_machines_nic_ips;
DROP INDEX virtual_machines_nic_macs;
CREATE INDEX virtual_machines_lists ON virtual_machines USING gin
    (tags, nic_ips, nic_macs, nic_networks, secondary_nodes, array_to_tsvector(array_remove(tags, NULL)));
CREATE INDEX virtual_machines_cluster_name ON virtual_machines (cluster_id, name);
DROP INDEX virtual_machines_status;
CREATE INDEX virtual_machines_status ON virtual_machines (status, name);
CREATE INDEX virtual_machines_disk_template ON virtual_machines (disk_template);
-- NULLS FIRST is how searches sort: an unknown size comes before all known ones.
CREATE INDEX virtual_machines_memory_mib ON virtual_machines (memory_mib NULLS FIRST);
CREATE INDEX virtual_machines_vcpus ON virtual_machines (vcpus NULLS FIRST);
CREATE INDEX virtual_machines_disk_mib ON virtual_machines (disk_mib NULLS FIRST);
CREATE INDEX virtual_machines_deleted_name ON virtual_machines (name) WHERE deleted_at IS NOT NULL;
CREATE INDEX changes_observed_at ON changes (kind, observed_at);

-- A live VM with what a reader needs to reach its Ganeti, in one row. An item in quarantine was not understood in the
-- newest answer, so its row is only as fresh as its own observation.
CREATE VIEW vms AS
SELECT v.id, v.cluster_id, c.name AS cluster, v.uuid, v.name, v.status, v.admin_state, v.oper_state, v.primary_node,
       v.secondary_nodes, v.os, v.disk_template, v.vcpus, v.memory_mib, v.oper_memory_mib, v.disk_mib, v.nic_ips,
       v.nic_macs, v.nic_links, v.nic_networks, v.network_port, v.tags, v.serial_no, v.ctime, v.mtime, v.info,
       v.observed_at, c.rapi_host, c.rapi_port, c.rapi_username, c.credentials_hash,
       CASE WHEN EXISTS (SELECT 1 FROM quarantine q
                         WHERE q.cluster_id = v.cluster_id AND q.kind = 'vm' AND q.uuid = v.uuid)
            THEN v.observed_at
            ELSE greatest(v.observed_at, f.refreshed_at)
       END AS cached_at
FROM virtual_machines v
JOIN clusters c ON c.id = v.cluster_id
LEFT JOIN freshness f ON f.cluster_id = v.cluster_id AND f.kind = 'vm'
WHERE v.deleted_at IS NULL;
COMMENT ON VIEW vms IS 'live VMs with cluster, RAPI address, credentials hash and cached_at, the time as of which the row is true';

-- permissions
-- What comes from an owner's tag lives and dies with the tag, beside what was granted by hand.
ALTER TABLE permissions ADD COLUMN source TEXT NOT NULL DEFAULT 'grant' CHECK (source IN ('grant', 'tag'));
DROP INDEX permissions_vm;
CREATE UNIQUE INDEX permissions_vm ON permissions (vm_id, subject, permission, source) WHERE vm_id IS NOT NULL;
DROP INDEX permissions_subject;
CREATE INDEX permissions_subject ON permissions (subject, permission);
COMMENT ON COLUMN permissions.source IS 'grant: given by hand; tag: follows a tag of the VM in Ganeti and goes with it';

-- clusters kept in the database
ALTER TABLE clusters
    ADD COLUMN source          TEXT NOT NULL DEFAULT 'config' CHECK (source IN ('config', 'database')),
    ADD COLUMN rapi_url        TEXT NOT NULL DEFAULT '',
    ADD COLUMN tls_pin_sha256  TEXT NOT NULL DEFAULT '',
    ADD COLUMN tls_ca_file     TEXT NOT NULL DEFAULT '',
    ADD COLUMN tls_server_name TEXT NOT NULL DEFAULT '',
    ADD COLUMN tls_insecure    BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN password_sealed TEXT NOT NULL DEFAULT '',
    ADD COLUMN password_file   TEXT NOT NULL DEFAULT '',
    ADD COLUMN schedule        TEXT NOT NULL DEFAULT '',
    ADD CHECK (password_sealed = '' OR password_file = '');
COMMENT ON COLUMN clusters.source IS 'who owns the settings: the configuration file, or this table (updater clusters add); for the latter the columns from rapi_url on hold them';
COMMENT ON COLUMN clusters.password_sealed IS 'RAPI password, AES-256-GCM under a key that is not in the database';
COMMENT ON COLUMN clusters.password_file IS 'name of a file with the password, instead of password_sealed';
COMMENT ON COLUMN clusters.schedule IS 'overrides the schedule of the configuration; empty: that one';

-- One row, whose number grows with every edit of the settings above: it tells a running updater to read them again.
CREATE TABLE cluster_revision (
    only_row BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    revision BIGINT NOT NULL DEFAULT 0
);
COMMENT ON TABLE cluster_revision IS 'one row; revision grows with each edit of the clusters kept in the database';

ALTER TABLE freshness ADD COLUMN approved_count INTEGER NOT NULL DEFAULT 0;
COMMENT ON COLUMN freshness.approved_count IS 'so many withheld removals were approved: the next complete answer may remove that many and no more';
