-- +goose Up

-- One row per Ganeti cluster of the configuration. Credentials are not kept here: credentials_hash is a keyed hash
-- that only says which settings the rows were fetched with.
CREATE TABLE clusters (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    name             TEXT NOT NULL UNIQUE CHECK (name <> ''),
    uuid             TEXT NOT NULL DEFAULT '',
    rapi_host        TEXT NOT NULL DEFAULT '',
    rapi_port        INTEGER NOT NULL DEFAULT 5080 CHECK (rapi_port BETWEEN 1 AND 65535),
    rapi_username    TEXT NOT NULL DEFAULT '',
    credentials_hash TEXT NOT NULL DEFAULT '',
    enabled          BOOLEAN NOT NULL DEFAULT TRUE,
    ganeti_name      TEXT NOT NULL DEFAULT '',
    software_version TEXT NOT NULL DEFAULT '',
    master_node      TEXT NOT NULL DEFAULT '',
    tags             TEXT NOT NULL DEFAULT '[]',
    info             TEXT,
    digest           BLOB CHECK (length(digest) = 16),
    observed_at      TIMESTAMP
);

CREATE TABLE freshness (
    cluster_id           INTEGER NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    kind                 TEXT NOT NULL CHECK (kind IN ('cluster', 'vm', 'node', 'group', 'network', 'job')),
    attempted_at         TIMESTAMP,
    refreshed_at         TIMESTAMP,
    snapshot_at          TIMESTAMP,
    duration_ms          INTEGER NOT NULL DEFAULT 0,
    bytes                INTEGER NOT NULL DEFAULT 0,
    objects              INTEGER NOT NULL DEFAULT 0,
    error                TEXT NOT NULL DEFAULT '',
    error_reason         TEXT NOT NULL DEFAULT '',
    consecutive_failures INTEGER NOT NULL DEFAULT 0,
    next_due_at          TIMESTAMP,
    generation           INTEGER NOT NULL DEFAULT 0,
    pending_count        INTEGER NOT NULL DEFAULT 0,
    pending_digest       TEXT NOT NULL DEFAULT '',
    pending_seen         INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (cluster_id, kind)
);

-- Lists are JSON text: search them with json_each.
CREATE TABLE virtual_machines (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    cluster_id      INTEGER NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    uuid            TEXT NOT NULL CHECK (uuid <> ''),
    name            TEXT NOT NULL,
    status          TEXT NOT NULL DEFAULT '',
    admin_state     TEXT NOT NULL DEFAULT '',
    oper_state      BOOLEAN,
    primary_node    TEXT NOT NULL DEFAULT '',
    secondary_nodes TEXT NOT NULL DEFAULT '[]',
    os              TEXT NOT NULL DEFAULT '',
    disk_template   TEXT NOT NULL DEFAULT '',
    vcpus           INTEGER,
    memory_mib      INTEGER,
    oper_memory_mib INTEGER,
    disk_mib        INTEGER,
    nic_ips         TEXT NOT NULL DEFAULT '[]',
    nic_macs        TEXT NOT NULL DEFAULT '[]',
    nic_links       TEXT NOT NULL DEFAULT '[]',
    nic_networks    TEXT NOT NULL DEFAULT '[]',
    network_port    INTEGER,
    tags            TEXT NOT NULL DEFAULT '[]',
    serial_no       INTEGER,
    ctime           TIMESTAMP,
    mtime           TIMESTAMP,
    info            TEXT NOT NULL,
    digest          BLOB NOT NULL CHECK (length(digest) = 16),
    observed_at     TIMESTAMP NOT NULL,
    deleted_at      TIMESTAMP,
    UNIQUE (cluster_id, uuid)
);
CREATE INDEX virtual_machines_name ON virtual_machines (name);
CREATE INDEX virtual_machines_status ON virtual_machines (status);
CREATE INDEX virtual_machines_primary_node ON virtual_machines (primary_node);
CREATE INDEX virtual_machines_os ON virtual_machines (os);
CREATE INDEX virtual_machines_deleted_at ON virtual_machines (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE nodes (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    cluster_id          INTEGER NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    uuid                TEXT NOT NULL CHECK (uuid <> ''),
    name                TEXT NOT NULL,
    role                TEXT NOT NULL DEFAULT '',
    offline             BOOLEAN,
    drained             BOOLEAN,
    master_candidate    BOOLEAN,
    master_capable      BOOLEAN,
    vm_capable          BOOLEAN,
    group_uuid          TEXT NOT NULL DEFAULT '',
    primary_ip          TEXT NOT NULL DEFAULT '',
    secondary_ip        TEXT NOT NULL DEFAULT '',
    memory_total_mib    INTEGER,
    memory_free_mib     INTEGER,
    memory_node_mib     INTEGER,
    disk_total_mib      INTEGER,
    disk_free_mib       INTEGER,
    cpus                INTEGER,
    cpu_sockets         INTEGER,
    cpu_nodes           INTEGER,
    cpus_reserved       INTEGER,
    primary_instances   INTEGER,
    secondary_instances INTEGER,
    tags                TEXT NOT NULL DEFAULT '[]',
    serial_no           INTEGER,
    ctime               TIMESTAMP,
    mtime               TIMESTAMP,
    info                TEXT NOT NULL,
    digest              BLOB NOT NULL CHECK (length(digest) = 16),
    observed_at         TIMESTAMP NOT NULL,
    deleted_at          TIMESTAMP,
    UNIQUE (cluster_id, uuid)
);
CREATE INDEX nodes_name ON nodes (name);
CREATE INDEX nodes_group_uuid ON nodes (group_uuid);

CREATE TABLE node_groups (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    cluster_id   INTEGER NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    uuid         TEXT NOT NULL CHECK (uuid <> ''),
    name         TEXT NOT NULL,
    alloc_policy TEXT NOT NULL DEFAULT '',
    node_count   INTEGER,
    nodes        TEXT NOT NULL DEFAULT '[]',
    tags         TEXT NOT NULL DEFAULT '[]',
    serial_no    INTEGER,
    ctime        TIMESTAMP,
    mtime        TIMESTAMP,
    info         TEXT NOT NULL,
    digest       BLOB NOT NULL CHECK (length(digest) = 16),
    observed_at  TIMESTAMP NOT NULL,
    deleted_at   TIMESTAMP,
    UNIQUE (cluster_id, uuid)
);
CREATE INDEX node_groups_name ON node_groups (name);

CREATE TABLE networks (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    cluster_id     INTEGER NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    uuid           TEXT NOT NULL CHECK (uuid <> ''),
    name           TEXT NOT NULL,
    network        TEXT NOT NULL DEFAULT '',
    gateway        TEXT NOT NULL DEFAULT '',
    network6       TEXT NOT NULL DEFAULT '',
    gateway6       TEXT NOT NULL DEFAULT '',
    mac_prefix     TEXT NOT NULL DEFAULT '',
    free_count     INTEGER,
    reserved_count INTEGER,
    tags           TEXT NOT NULL DEFAULT '[]',
    serial_no      INTEGER,
    ctime          TIMESTAMP,
    mtime          TIMESTAMP,
    info           TEXT NOT NULL,
    digest         BLOB NOT NULL CHECK (length(digest) = 16),
    observed_at    TIMESTAMP NOT NULL,
    deleted_at     TIMESTAMP,
    UNIQUE (cluster_id, uuid)
);
CREATE INDEX networks_name ON networks (name);

CREATE TABLE jobs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    cluster_id  INTEGER NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    uuid        TEXT NOT NULL CHECK (uuid <> ''),
    name        TEXT NOT NULL,
    status      TEXT NOT NULL DEFAULT '',
    summary     TEXT NOT NULL DEFAULT '[]',
    received_at TIMESTAMP,
    started_at  TIMESTAMP,
    ended_at    TIMESTAMP,
    info        TEXT NOT NULL,
    digest      BLOB NOT NULL CHECK (length(digest) = 16),
    observed_at TIMESTAMP NOT NULL,
    deleted_at  TIMESTAMP,
    UNIQUE (cluster_id, uuid)
);
CREATE INDEX jobs_status ON jobs (status);
CREATE INDEX jobs_received_at ON jobs (received_at);

-- Without foreign keys: entries outlive what they tell of.
CREATE TABLE changes (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    cluster_id  INTEGER NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('cluster', 'vm', 'node', 'group', 'network', 'job')),
    object_id   INTEGER NOT NULL,
    uuid        TEXT NOT NULL,
    name        TEXT NOT NULL,
    op          TEXT NOT NULL CHECK (op IN ('created', 'updated', 'renamed', 'removed', 'restored')),
    fields      TEXT,
    observed_at TIMESTAMP NOT NULL
);
CREATE INDEX changes_object ON changes (kind, object_id);

CREATE TABLE permissions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    subject    TEXT NOT NULL CHECK (subject <> ''),
    permission TEXT NOT NULL CHECK (permission <> ''),
    cluster_id INTEGER REFERENCES clusters (id) ON DELETE CASCADE,
    vm_id      INTEGER REFERENCES virtual_machines (id) ON DELETE CASCADE,
    CHECK ((cluster_id IS NULL) <> (vm_id IS NULL))
);
CREATE UNIQUE INDEX permissions_cluster ON permissions (cluster_id, subject, permission) WHERE cluster_id IS NOT NULL;
CREATE UNIQUE INDEX permissions_vm ON permissions (vm_id, subject, permission) WHERE vm_id IS NOT NULL;
CREATE INDEX permissions_subject ON permissions (subject);

CREATE TABLE quarantine (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    cluster_id  INTEGER NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    kind        TEXT NOT NULL CHECK (kind IN ('vm', 'node', 'group', 'network', 'job')),
    uuid        TEXT NOT NULL,
    name        TEXT NOT NULL,
    digest      BLOB NOT NULL CHECK (length(digest) = 16),
    reason      TEXT NOT NULL,
    raw         TEXT NOT NULL,
    observed_at TIMESTAMP NOT NULL,
    UNIQUE (cluster_id, kind, digest)
);

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
            ELSE max(v.observed_at, coalesce(f.refreshed_at, v.observed_at))
       END AS cached_at
FROM virtual_machines v
JOIN clusters c ON c.id = v.cluster_id
LEFT JOIN freshness f ON f.cluster_id = v.cluster_id AND f.kind = 'vm'
WHERE v.deleted_at IS NULL;

CREATE VIEW cluster_status AS
SELECT c.id AS cluster_id, c.name AS cluster, c.enabled, c.software_version, c.master_node, f.kind, f.attempted_at,
       f.refreshed_at, (julianday('now') - julianday(f.refreshed_at)) * 86400.0 AS age_seconds,
       f.duration_ms, f.bytes, f.objects, f.error, f.error_reason, f.consecutive_failures, f.next_due_at,
       f.pending_count,
       (SELECT count(*) FROM quarantine q WHERE q.cluster_id = f.cluster_id AND q.kind = f.kind) AS quarantined
FROM clusters c
LEFT JOIN freshness f ON f.cluster_id = c.id;

CREATE VIEW cluster_usage AS
WITH n AS (
    SELECT cluster_id, count(*) AS nodes, sum(memory_total_mib) AS memory_total_mib,
           sum(memory_free_mib) AS memory_free_mib, sum(disk_total_mib) AS disk_total_mib,
           sum(disk_free_mib) AS disk_free_mib, sum(cpus) AS cpus_total
    FROM nodes WHERE deleted_at IS NULL GROUP BY cluster_id
), v AS (
    SELECT cluster_id, count(*) AS vms, count(*) FILTER (WHERE oper_state) AS vms_running,
           sum(coalesce(oper_memory_mib, memory_mib)) FILTER (WHERE oper_state) AS memory_allocated_mib,
           sum(disk_mib) FILTER (WHERE oper_state) AS disk_allocated_mib,
           sum(vcpus) FILTER (WHERE oper_state) AS cpus_allocated
    FROM virtual_machines WHERE deleted_at IS NULL GROUP BY cluster_id
)
SELECT c.id AS cluster_id, c.name AS cluster, coalesce(n.nodes, 0) AS nodes, coalesce(v.vms, 0) AS vms,
       coalesce(v.vms_running, 0) AS vms_running,
       coalesce(n.memory_total_mib, 0) AS memory_total_mib, coalesce(n.memory_free_mib, 0) AS memory_free_mib,
       coalesce(v.memory_allocated_mib, 0) AS memory_allocated_mib,
       coalesce(n.disk_total_mib, 0) AS disk_total_mib, coalesce(n.disk_free_mib, 0) AS disk_free_mib,
       coalesce(v.disk_allocated_mib, 0) AS disk_allocated_mib,
       coalesce(n.cpus_total, 0) AS cpus_total,
       coalesce(n.cpus_total, 0) - coalesce(v.cpus_allocated, 0) AS cpus_free,
       coalesce(v.cpus_allocated, 0) AS cpus_allocated
FROM clusters c
LEFT JOIN n ON n.cluster_id = c.id
LEFT JOIN v ON v.cluster_id = c.id;
