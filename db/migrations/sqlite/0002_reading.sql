-- +goose Up

-- leases
CREATE TABLE leases (
    cluster_id INTEGER PRIMARY KEY REFERENCES clusters (id) ON DELETE CASCADE,
    holder     TEXT NOT NULL,
    token      INTEGER NOT NULL,
    expires_at TIMESTAMP NOT NULL
);

-- search
-- What PostgreSQL finds by an index on lists: the elements of a VM's tags and NICs, and its secondary nodes. Triggers keep
-- it; they know what to delete from the old row, so that no index on vm_id is needed.
CREATE TABLE vm_terms (
    kind  TEXT NOT NULL CHECK (kind IN ('tag', 'ip', 'mac', 'network', 'secondary_node')),
    value TEXT NOT NULL,
    vm_id INTEGER NOT NULL,
    PRIMARY KEY (kind, value, vm_id)
) WITHOUT ROWID;

-- UNION, which drops what a VM has twice: within an upsert, OR IGNORE does not count.
-- +goose StatementBegin
CREATE TRIGGER vm_terms_insert AFTER INSERT ON virtual_machines
BEGIN
    INSERT OR IGNORE INTO vm_terms (kind, value, vm_id)
    SELECT 'tag', value, NEW.id FROM json_each(NEW.tags) WHERE value IS NOT NULL
    UNION SELECT 'ip', value, NEW.id FROM json_each(NEW.nic_ips) WHERE value IS NOT NULL
    UNION SELECT 'mac', value, NEW.id FROM json_each(NEW.nic_macs) WHERE value IS NOT NULL
    UNION SELECT 'network', value, NEW.id FROM json_each(NEW.nic_networks) WHERE value IS NOT NULL
    UNION SELECT 'secondary_node', value, NEW.id FROM json_each(NEW.secondary_nodes) WHERE value IS NOT NULL;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER vm_terms_update AFTER UPDATE ON virtual_machines
WHEN OLD.tags <> NEW.tags OR OLD.nic_ips <> NEW.nic_ips OR OLD.nic_macs <> NEW.nic_macs
  OR OLD.nic_networks <> NEW.nic_networks OR OLD.secondary_nodes <> NEW.secondary_nodes OR OLD.id <> NEW.id
BEGIN
    DELETE FROM vm_terms WHERE kind = 'tag' AND vm_id = OLD.id AND value IN (SELECT value FROM json_each(OLD.tags));
    DELETE FROM vm_terms WHERE kind = 'ip' AND vm_id = OLD.id AND value IN (SELECT value FROM json_each(OLD.nic_ips));
    DELETE FROM vm_terms WHERE kind = 'mac' AND vm_id = OLD.id AND value IN (SELECT value FROM json_each(OLD.nic_macs));
    DELETE FROM vm_terms WHERE kind = 'network' AND vm_id = OLD.id AND value IN (SELECT value FROM json_each(OLD.nic_networks));
    DELETE FROM vm_terms WHERE kind = 'secondary_node' AND vm_id = OLD.id AND value IN (SELECT value FROM json_each(OLD.secondary_nodes));
    INSERT OR IGNORE INTO vm_terms (kind, value, vm_id)
    SELECT 'tag', value, NEW.id FROM json_each(NEW.tags) WHERE value IS NOT NULL
    UNION SELECT 'ip', value, NEW.id FROM json_each(NEW.nic_ips) WHERE value IS NOT NULL
    UNION SELECT 'mac', value, NEW.id FROM json_each(NEW.nic_macs) WHERE value IS NOT NULL
    UNION SELECT 'network', value, NEW.id FROM json_each(NEW.nic_networks) WHERE value IS NOT NULL
    UNION SELECT 'secondary_node', value, NEW.id FROM json_each(NEW.secondary_nodes) WHERE value IS NOT NULL;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER vm_terms_delete AFTER DELETE ON virtual_machines
BEGIN
    DELETE FROM vm_terms WHERE kind = 'tag' AND vm_id = OLD.id AND value IN (SELECT value FROM json_each(OLD.tags));
    DELETE FROM vm_terms WHERE kind = 'ip' AND vm_id = OLD.id AND value IN (SELECT value FROM json_each(OLD.nic_ips));
    DELETE FROM vm_terms WHERE kind = 'mac' AND vm_id = OLD.id AND value IN (SELECT value FROM json_each(OLD.nic_macs));
    DELETE FROM vm_terms WHERE kind = 'network' AND vm_id = OLD.id AND value IN (SELECT value FROM json_each(OLD.nic_networks));
    DELETE FROM vm_terms WHERE kind = 'secondary_node' AND vm_id = OLD.id AND value IN (SELECT value FROM json_each(OLD.secondary_nodes));
END;
-- +goose StatementEnd

INSERT OR IGNORE INTO vm_terms (kind, value, vm_id)
SELECT 'tag', e.value, v.id FROM virtual_machines v, json_each(v.tags) e WHERE e.value IS NOT NULL
UNION ALL SELECT 'ip', e.value, v.id FROM virtual_machines v, json_each(v.nic_ips) e WHERE e.value IS NOT NULL
UNION ALL SELECT 'mac', e.value, v.id FROM virtual_machines v, json_each(v.nic_macs) e WHERE e.value IS NOT NULL
UNION ALL SELECT 'network', e.value, v.id FROM virtual_machines v, json_each(v.nic_networks) e WHERE e.value IS NOT NULL
UNION ALL SELECT 'secondary_node', e.value, v.id FROM virtual_machines v, json_each(v.secondary_nodes) e WHERE e.value IS NOT NULL;

CREATE INDEX virtual_machines_cluster_name ON virtual_machines (cluster_id, name);
DROP INDEX virtual_machines_status;
CREATE INDEX virtual_machines_status ON virtual_machines (status, name);
CREATE INDEX virtual_machines_disk_template ON virtual_machines (disk_template);
CREATE INDEX virtual_machines_memory_mib ON virtual_machines (memory_mib);
CREATE INDEX virtual_machines_vcpus ON virtual_machines (vcpus);
CREATE INDEX virtual_machines_disk_mib ON virtual_machines (disk_mib);
CREATE INDEX virtual_machines_deleted_name ON virtual_machines (name) WHERE deleted_at IS NOT NULL;
CREATE INDEX changes_observed_at ON changes (kind, observed_at);
-- In the order of names, with what tells of most rows that they did not change since: the row itself need not be read.
DROP INDEX virtual_machines_name;
CREATE INDEX virtual_machines_name ON virtual_machines (name, id, observed_at);

-- permissions
ALTER TABLE permissions ADD COLUMN source TEXT NOT NULL DEFAULT 'grant' CHECK (source IN ('grant', 'tag'));
DROP INDEX permissions_vm;
CREATE UNIQUE INDEX permissions_vm ON permissions (vm_id, subject, permission, source) WHERE vm_id IS NOT NULL;
DROP INDEX permissions_subject;
CREATE INDEX permissions_subject ON permissions (subject, permission);

-- clusters kept in the database
ALTER TABLE clusters ADD COLUMN source TEXT NOT NULL DEFAULT 'config' CHECK (source IN ('config', 'database'));
ALTER TABLE clusters ADD COLUMN rapi_url TEXT NOT NULL DEFAULT '';
ALTER TABLE clusters ADD COLUMN tls_pin_sha256 TEXT NOT NULL DEFAULT '';
ALTER TABLE clusters ADD COLUMN tls_ca_file TEXT NOT NULL DEFAULT '';
ALTER TABLE clusters ADD COLUMN tls_server_name TEXT NOT NULL DEFAULT '';
ALTER TABLE clusters ADD COLUMN tls_insecure BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE clusters ADD COLUMN password_sealed TEXT NOT NULL DEFAULT '';
ALTER TABLE clusters ADD COLUMN password_file TEXT NOT NULL DEFAULT '' CHECK (password_sealed = '' OR password_file = '');
ALTER TABLE clusters ADD COLUMN schedule TEXT NOT NULL DEFAULT '';

CREATE TABLE cluster_revision (
    only_row BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    revision INTEGER NOT NULL DEFAULT 0
);

ALTER TABLE freshness ADD COLUMN approved_count INTEGER NOT NULL DEFAULT 0;
