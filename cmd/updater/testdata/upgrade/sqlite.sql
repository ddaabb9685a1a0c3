PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE ganeti_cache_schema (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO ganeti_cache_schema VALUES(1,0,1,'2026-12-01 00:51:00');
INSERT INTO ganeti_cache_schema VALUES(2,1,1,'2026-12-01 00:51:00');
INSERT INTO ganeti_cache_schema VALUES(3,2,1,'2026-12-01 00:51:00');
INSERT INTO ganeti_cache_schema VALUES(4,3,1,'2026-12-01 00:51:00');
INSERT INTO ganeti_cache_schema VALUES(5,4,1,'2026-12-01 00:51:00');
INSERT INTO ganeti_cache_schema VALUES(6,5,1,'2026-12-01 00:51:00');
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
, source TEXT NOT NULL DEFAULT 'config' CHECK (source IN ('config', 'database')), rapi_url TEXT NOT NULL DEFAULT '', tls_pin_sha256 TEXT NOT NULL DEFAULT '', tls_ca_file TEXT NOT NULL DEFAULT '', tls_server_name TEXT NOT NULL DEFAULT '', tls_insecure BOOLEAN NOT NULL DEFAULT FALSE, password_sealed TEXT NOT NULL DEFAULT '', password_file TEXT NOT NULL DEFAULT '' CHECK (password_sealed = '' OR password_file = ''), schedule TEXT NOT NULL DEFAULT '', digest_seed INTEGER NOT NULL DEFAULT 0);
INSERT INTO clusters VALUES(1,'prod','00000000-0000-4000-8000-00000000c001','127.0.0.1',46631,'gwm','e0fb3cfb57ac90bc6483dae250454cb0f5c79dbaeb5c8229d6ac7711b5a77dad',1,'prod.example.org','3.0.2','node1.example.org','["b","a"]','{"ctime":1700000000.25,"master":"node1.example.org","mtime":1700000000.25,"name":"prod.example.org","software_version":"3.0.2","tags":["b","a"],"uuid":"00000000-0000-4000-8000-00000000c001"}',X'000000be3a8e7e997e55d56caa48ab81','2026-12-01 00:51:00.905327+00:00','config','','','','',0,'','','',-723893826382812976);
INSERT INTO clusters VALUES(2,'kept','','192.0.2.1',5080,'gwm','d222cc024865903d1b81acb63b4eba021acd0ebc6c9ff2504c940edd65548119',1,'','','','[]',NULL,NULL,NULL,'database','https://192.0.2.1:5080','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','','',0,'ARdg/NWeF78RzFYCdhrmOMDZiC5JzkokJPB8VQA0QHGrmDd5lUOTtEz9th556m+U4BWI','','',1506055254599139673);
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
    pending_seen         INTEGER NOT NULL DEFAULT 0, approved_count INTEGER NOT NULL DEFAULT 0, lease_token INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (cluster_id, kind)
);
INSERT INTO freshness VALUES(1,'cluster','2026-12-01 00:51:01.160589+00:00','2026-12-01 00:51:01.160589+00:00','2026-12-01 00:51:01.160589+00:00',14,190,1,'','',0,'2026-12-01 00:51:51.06+00:00',1,0,'',0,0,0);
INSERT INTO freshness VALUES(1,'group','2026-12-01 00:51:01.175546+00:00','2026-12-01 00:51:01.175546+00:00','2026-12-01 00:51:01.175546+00:00',6,206,1,'','',0,'2026-12-01 01:05:51.06+00:00',1,0,'',0,0,0);
INSERT INTO freshness VALUES(1,'node','2026-12-01 00:51:01.181618+00:00','2026-12-01 00:51:01.181618+00:00','2026-12-01 00:51:01.181618+00:00',3,485,1,'','',0,'2026-12-01 00:51:51.06+00:00',1,0,'',0,0,0);
INSERT INTO freshness VALUES(1,'network','2026-12-01 00:51:01.185105+00:00','2026-12-01 00:51:01.185105+00:00','2026-12-01 00:51:01.185105+00:00',8,272,1,'','',0,'2026-12-01 01:05:51.06+00:00',1,0,'',0,0,0);
INSERT INTO freshness VALUES(1,'vm','2026-12-01 00:51:01.193574+00:00','2026-12-01 00:51:01.193574+00:00','2026-12-01 00:51:01.193574+00:00',13,2534,4,'','',0,'2026-12-01 00:51:51.06+00:00',3,0,'',0,0,0);
INSERT INTO freshness VALUES(1,'job','2026-12-01 00:51:01.20798+00:00','2026-12-01 00:51:01.20798+00:00','2026-12-01 00:51:01.20798+00:00',12,201,1,'','',0,'2026-12-01 01:35:51.06+00:00',1,0,'',0,0,0);
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
INSERT INTO virtual_machines VALUES(1,1,'00000000-0000-4000-8000-000000000001','vm1.example.org','running','up',1,'node1.example.org','[]','debian','plain',1,512,512,1024,'["192.0.2.101"]','["aa:00:00:00:00:01"]','["br0"]','["net1"]',11001,'["owner:a"]',1,'2023-11-14 22:13:20.5+00:00','2023-11-14 22:13:21.5+00:00','{"admin_state":"up","beparams":{"maxmem":512,"minmem":256,"vcpus":1},"ctime":1700000000.5,"custom_osparams":{"hostname":"vm1","root_pass":"kanari-old-11-new"},"disk.sizes":[1024],"disk_template":"plain","hvparams":{},"mtime":1700000001.5,"name":"vm1.example.org","network_port":11001,"nic.ips":["192.0.2.101"],"nic.links":["br0"],"nic.macs":["aa:00:00:00:00:01"],"nic.networks":["00000000-0000-4000-8000-0000000000d1"],"nic.networks.names":["net1"],"oper_ram":512,"oper_state":true,"os":"debian","pnode":"node1.example.org","serial_no":1,"snodes":[],"status":"running","tags":["owner:a"],"uuid":"00000000-0000-4000-8000-000000000001"}',X'0000027a3e17d65f1fdc1b6fbbbea382','2026-12-01 00:51:01.131147+00:00',NULL);
INSERT INTO virtual_machines VALUES(2,1,'00000000-0000-4000-8000-000000000002','vm2-later.example.org','running','up',1,'node1.example.org','[]','debian','plain',1,512,512,1024,'["2001:DB8:0:0::2"]','["AA:00:00:00:00:02"]','["br0"]','["net1"]',11002,'["owner:a"]',1,'2023-11-14 22:13:20.5+00:00','2023-11-14 22:13:21.5+00:00','{"admin_state":"up","beparams":{"maxmem":512,"minmem":256,"vcpus":1},"ctime":1700000000.5,"custom_osparams":{"hostname":"vm2","root_pass":"kanari-old-11"},"disk.sizes":[1024],"disk_template":"plain","hvparams":{},"mtime":1700000001.5,"name":"vm2-later.example.org","network_port":11002,"nic.ips":["2001:DB8:0:0::2"],"nic.links":["br0"],"nic.macs":["AA:00:00:00:00:02"],"nic.networks":["00000000-0000-4000-8000-0000000000d1"],"nic.networks.names":["net1"],"oper_ram":512,"oper_state":true,"os":"debian","pnode":"node1.example.org","serial_no":1,"snodes":[],"status":"running","tags":["owner:a"],"uuid":"00000000-0000-4000-8000-000000000002"}',X'00000280041bfb844af9fa2e55312300','2026-12-01 00:51:01.131147+00:00',NULL);
INSERT INTO virtual_machines VALUES(3,1,'00000000-0000-4000-8000-000000000003','vm3.example.org','running','up',1,'node1.example.org','[]','debian','plain',4,1024,512,1024,'["192.0.2.103"]','["aa:00:00:00:00:03"]','["br0"]','["net1"]',11003,'["owner:b","owner:a"]',1,'2023-11-14 22:13:20.5+00:00','2023-11-14 22:13:21.5+00:00','{"admin_state":"up","beparams":{"maxmem":1024,"minmem":128,"vcpus":4},"ctime":1700000000.5,"custom_osparams":{"hostname":"vm3","root_pass":"kanari-old-11"},"disk.sizes":[1024],"disk_template":"plain","hvparams":{},"mtime":1700000001.5,"name":"vm3.example.org","network_port":11003,"nic.ips":["192.0.2.103"],"nic.links":["br0"],"nic.macs":["aa:00:00:00:00:03"],"nic.networks":["00000000-0000-4000-8000-0000000000d1"],"nic.networks.names":["net1"],"oper_ram":512,"oper_state":true,"os":"debian","pnode":"node1.example.org","serial_no":1,"snodes":[],"status":"running","tags":["owner:b","owner:a"],"uuid":"00000000-0000-4000-8000-000000000003"}',X'0000028103db49cc51fdba05ab41cc48','2026-12-01 00:51:01.131147+00:00',NULL);
INSERT INTO virtual_machines VALUES(4,1,'00000000-0000-4000-8000-000000000004','vm4.example.org','running','up',1,'node1.example.org','[]','debian','plain',1,512,512,1024,'["192.0.2.104"]','["aa:00:00:00:00:04"]','["br0"]','["net1"]',11004,'["owner:a"]',1,'2023-11-14 22:13:20.5+00:00','2023-11-14 22:13:21.5+00:00','{"admin_state":"up","beparams":{"maxmem":512,"minmem":256,"vcpus":1},"ctime":1700000000.5,"custom_osparams":{"hostname":"vm4","root_pass":"kanari-old-11"},"disk.sizes":[1024],"disk_template":"plain","hvparams":{},"mtime":1700000001.5,"name":"vm4.example.org","network_port":11004,"nic.ips":["192.0.2.104"],"nic.links":["br0"],"nic.macs":["aa:00:00:00:00:04"],"nic.networks":["00000000-0000-4000-8000-0000000000d1"],"nic.networks.names":["net1"],"oper_ram":512,"oper_state":true,"os":"debian","pnode":"node1.example.org","serial_no":1,"snodes":[],"status":"running","tags":["owner:a"],"uuid":"00000000-0000-4000-8000-000000000004"}',X'000002764d99c03228f88aba07d113ca','2026-12-01 00:51:01.131147+00:00','2026-12-01 00:51:01.131147+00:00');
INSERT INTO virtual_machines VALUES(5,1,'00000000-0000-4000-8000-000000000005','vm5.example.org','running','up',1,'node1.example.org','[]','debian','plain',1,512,512,1024,'["192.0.2.105"]','["aa:00:00:00:00:05"]','["br0"]','["net1"]',11005,'["owner:a"]',1,'2023-11-14 22:13:20.5+00:00','2023-11-14 22:13:21.5+00:00','{"admin_state":"up","beparams":{"maxmem":512,"minmem":256,"vcpus":1},"ctime":1700000000.5,"custom_osparams":{"hostname":"vm5","root_pass":"kanari-old-11"},"disk.sizes":[1024],"disk_template":"plain","hvparams":{},"mtime":1700000001.5,"name":"vm5.example.org","network_port":11005,"nic.ips":["192.0.2.105"],"nic.links":["br0"],"nic.macs":["aa:00:00:00:00:05"],"nic.networks":["00000000-0000-4000-8000-0000000000d1"],"nic.networks.names":["net1"],"oper_ram":512,"oper_state":true,"os":"debian","pnode":"node1.example.org","serial_no":1,"snodes":[],"status":"running","tags":["owner:a"],"uuid":"00000000-0000-4000-8000-000000000005"}',X'00000276542c491ecbbc0e0c17edb0f6','2026-12-01 00:51:00.918081+00:00',NULL);
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
INSERT INTO nodes VALUES(1,1,'00000000-0000-4000-8000-0000000000a1','node1.example.org','M',0,0,1,1,1,'00000000-0000-4000-8000-0000000000b1','192.0.2.11','192.0.2.11',65536,30000,800,1000000,500000,16,2,1,1,5,0,'[]',1,'2023-11-14 22:13:20.5+00:00','2023-11-14 22:13:20.5+00:00','{"cnodes":1,"cnos":1,"csockets":2,"ctime":1700000000.5,"ctotal":16,"dfree":500000,"drained":false,"dtotal":1000000,"group.uuid":"00000000-0000-4000-8000-0000000000b1","master_candidate":true,"master_capable":true,"mfree":30000,"mnode":800,"mtime":1700000000.5,"mtotal":65536,"name":"node1.example.org","offline":false,"pinst_cnt":5,"pip":"192.0.2.11","role":"M","serial_no":1,"sinst_cnt":0,"sip":"192.0.2.11","tags":[],"uuid":"00000000-0000-4000-8000-0000000000a1","vm_capable":true}',X'000001e39d0d0921b0065f5219ef4f48','2026-12-01 00:51:00.913281+00:00',NULL);
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
INSERT INTO node_groups VALUES(1,1,'00000000-0000-4000-8000-0000000000b1','default','preferred',1,'["node1.example.org"]','[]',1,'2023-11-14 22:13:20.5+00:00','2023-11-14 22:13:20.5+00:00','{"alloc_policy":"preferred","ctime":1700000000.5,"mtime":1700000000.5,"name":"default","node_cnt":1,"node_list":["node1.example.org"],"serial_no":1,"tags":[],"uuid":"00000000-0000-4000-8000-0000000000b1"}',X'000000cc0ac580694b7945b65a5b1e42','2026-12-01 00:51:00.91087+00:00',NULL);
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
INSERT INTO networks VALUES(1,1,'00000000-0000-4000-8000-0000000000d1','net1','192.0.2.0/24','','2001:DB8::/64','','AA:00:00',250,6,'[]',1,'2023-11-14 22:13:20.5+00:00','2023-11-14 22:13:20.5+00:00','{"ctime":1700000000.5,"free_count":250,"gateway":null,"gateway6":null,"mac_prefix":"AA:00:00","mtime":1700000000.5,"name":"net1","network":"192.0.2.0/24","network6":"2001:DB8::/64","reserved_count":6,"serial_no":1,"tags":[],"uuid":"00000000-0000-4000-8000-0000000000d1"}',X'0000010e61f8116b37821267e4f38463','2026-12-01 00:51:00.915833+00:00',NULL);
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
INSERT INTO jobs VALUES(1,1,'7','INSTANCE_CREATE(vm1.example.org)','success','["INSTANCE_CREATE(vm1.example.org)"]','2023-11-14 22:13:20.000001+00:00','2023-11-14 22:13:21.000001+00:00','2023-11-14 22:13:22.000001+00:00','{"end_ts":[1700000002,1],"id":7,"opresult":[],"ops":[],"opstatus":["success"],"received_ts":[1700000000,1],"start_ts":[1700000001,1],"status":"success","summary":["INSTANCE_CREATE(vm1.example.org)"]}',X'000000c7cb7ca461502edf1620ebfdb5','2026-12-01 00:51:00.923318+00:00',NULL);
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
INSERT INTO changes VALUES(1,1,'cluster',1,'00000000-0000-4000-8000-00000000c001','prod','created',NULL,'2026-12-01 00:51:00.905327+00:00');
INSERT INTO changes VALUES(2,1,'group',1,'00000000-0000-4000-8000-0000000000b1','default','created',NULL,'2026-12-01 00:51:00.91087+00:00');
INSERT INTO changes VALUES(3,1,'node',1,'00000000-0000-4000-8000-0000000000a1','node1.example.org','created',NULL,'2026-12-01 00:51:00.913281+00:00');
INSERT INTO changes VALUES(4,1,'network',1,'00000000-0000-4000-8000-0000000000d1','net1','created',NULL,'2026-12-01 00:51:00.915833+00:00');
INSERT INTO changes VALUES(5,1,'vm',1,'00000000-0000-4000-8000-000000000001','vm1.example.org','created',NULL,'2026-12-01 00:51:00.918081+00:00');
INSERT INTO changes VALUES(6,1,'vm',2,'00000000-0000-4000-8000-000000000002','vm2.example.org','created',NULL,'2026-12-01 00:51:00.918081+00:00');
INSERT INTO changes VALUES(7,1,'vm',3,'00000000-0000-4000-8000-000000000003','vm3.example.org','created',NULL,'2026-12-01 00:51:00.918081+00:00');
INSERT INTO changes VALUES(8,1,'vm',4,'00000000-0000-4000-8000-000000000004','vm4.example.org','created',NULL,'2026-12-01 00:51:00.918081+00:00');
INSERT INTO changes VALUES(9,1,'vm',5,'00000000-0000-4000-8000-000000000005','vm5.example.org','created',NULL,'2026-12-01 00:51:00.918081+00:00');
INSERT INTO changes VALUES(10,1,'job',1,'7','INSTANCE_CREATE(vm1.example.org)','created',NULL,'2026-12-01 00:51:00.923318+00:00');
INSERT INTO changes VALUES(11,1,'vm',2,'00000000-0000-4000-8000-000000000002','vm2-later.example.org','renamed','{"name":{"old":"vm2.example.org","new":"vm2-later.example.org"}}','2026-12-01 00:51:01.131147+00:00');
INSERT INTO changes VALUES(12,1,'vm',3,'00000000-0000-4000-8000-000000000003','vm3.example.org','updated','{"memory_mib":{"old":512,"new":1024},"vcpus":{"old":1,"new":4}}','2026-12-01 00:51:01.131147+00:00');
INSERT INTO changes VALUES(13,1,'vm',1,'00000000-0000-4000-8000-000000000001','vm1.example.org','updated','{"custom_osparams":{"old":{"hostname":"vm1","root_pass":"kanari-old-11"},"new":{"hostname":"vm1","root_pass":"kanari-old-11-new"}}}','2026-12-01 00:51:01.131147+00:00');
INSERT INTO changes VALUES(14,1,'vm',4,'00000000-0000-4000-8000-000000000004','vm4.example.org','removed',NULL,'2026-12-01 00:51:01.131147+00:00');
CREATE TABLE permissions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    subject    TEXT NOT NULL CHECK (subject <> ''),
    permission TEXT NOT NULL CHECK (permission <> ''),
    cluster_id INTEGER REFERENCES clusters (id) ON DELETE CASCADE,
    vm_id      INTEGER REFERENCES virtual_machines (id) ON DELETE CASCADE, source TEXT NOT NULL DEFAULT 'grant' CHECK (source IN ('grant', 'tag')),
    CHECK ((cluster_id IS NULL) <> (vm_id IS NULL))
);
INSERT INTO permissions VALUES(1,'alice','console',NULL,1,'grant');
INSERT INTO permissions VALUES(2,'alice','admin',NULL,4,'grant');
INSERT INTO permissions VALUES(3,'group:ops','admin',1,NULL,'grant');
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
INSERT INTO quarantine VALUES(1,1,'vm','00000000-0000-4000-8000-000000000005','5',X'00000266626c73f62594674fe8ba635c','name: a JSON string is needed, found number 5','{"admin_state":"up","beparams":{"maxmem":512,"minmem":256,"vcpus":1},"ctime":1700000000.5,"custom_osparams":{"hostname":"vm5","root_pass":"kanari-old-11"},"disk.sizes":[1024],"disk_template":"plain","hvparams":{},"mtime":1700000001.5,"name":5,"network_port":11005,"nic.ips":["192.0.2.105"],"nic.links":["br0"],"nic.macs":["aa:00:00:00:00:05"],"nic.networks":["00000000-0000-4000-8000-0000000000d1"],"nic.networks.names":["net1"],"oper_ram":512,"oper_state":true,"os":"debian","pnode":"node1.example.org","serial_no":1,"snodes":[],"status":"running","tags":["owner:a"],"uuid":"00000000-0000-4000-8000-000000000005"}','2026-12-01 00:51:01.193574+00:00');
CREATE TABLE IF NOT EXISTS "reader_leases" (
    cluster_id INTEGER PRIMARY KEY REFERENCES clusters (id) ON DELETE CASCADE,
    holder     TEXT NOT NULL,
    token      INTEGER NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE TABLE cluster_revision (
    only_row BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    revision INTEGER NOT NULL DEFAULT 0
);
INSERT INTO cluster_revision VALUES(1,1);
CREATE TABLE replicas (
    id         TEXT PRIMARY KEY CHECK (id <> ''),
    host       TEXT NOT NULL,
    pid        INTEGER NOT NULL,
    joined_at  TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE TABLE leases (
    cluster_id INTEGER PRIMARY KEY REFERENCES clusters (id) ON DELETE CASCADE,
    holder     TEXT NOT NULL DEFAULT '',
    token      INTEGER NOT NULL DEFAULT 0,
    taken_at   TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE vm_terms_bulk (
    one INTEGER PRIMARY KEY CHECK (one = 1)
);
CREATE TABLE vm_terms (
    kind  TEXT NOT NULL,
    value TEXT NOT NULL,
    vm_id INTEGER NOT NULL,
    PRIMARY KEY (kind, value, vm_id)
) WITHOUT ROWID;
INSERT INTO vm_terms VALUES('ip','192.0.2.101',1);
INSERT INTO vm_terms VALUES('ip','192.0.2.103',3);
INSERT INTO vm_terms VALUES('ip','192.0.2.104',4);
INSERT INTO vm_terms VALUES('ip','192.0.2.105',5);
INSERT INTO vm_terms VALUES('ip','2001:DB8:0:0::2',2);
INSERT INTO vm_terms VALUES('mac','AA:00:00:00:00:02',2);
INSERT INTO vm_terms VALUES('mac','aa:00:00:00:00:01',1);
INSERT INTO vm_terms VALUES('mac','aa:00:00:00:00:03',3);
INSERT INTO vm_terms VALUES('mac','aa:00:00:00:00:04',4);
INSERT INTO vm_terms VALUES('mac','aa:00:00:00:00:05',5);
INSERT INTO vm_terms VALUES('network','net1',1);
INSERT INTO vm_terms VALUES('network','net1',2);
INSERT INTO vm_terms VALUES('network','net1',3);
INSERT INTO vm_terms VALUES('network','net1',4);
INSERT INTO vm_terms VALUES('network','net1',5);
INSERT INTO vm_terms VALUES('tag','owner:a',1);
INSERT INTO vm_terms VALUES('tag','owner:a',2);
INSERT INTO vm_terms VALUES('tag','owner:a',3);
INSERT INTO vm_terms VALUES('tag','owner:a',4);
INSERT INTO vm_terms VALUES('tag','owner:a',5);
INSERT INTO vm_terms VALUES('tag','owner:b',3);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('ganeti_cache_schema',6);
INSERT INTO sqlite_sequence VALUES('clusters',2);
INSERT INTO sqlite_sequence VALUES('changes',14);
INSERT INTO sqlite_sequence VALUES('node_groups',1);
INSERT INTO sqlite_sequence VALUES('nodes',1);
INSERT INTO sqlite_sequence VALUES('networks',1);
INSERT INTO sqlite_sequence VALUES('virtual_machines',8);
INSERT INTO sqlite_sequence VALUES('jobs',1);
INSERT INTO sqlite_sequence VALUES('permissions',3);
INSERT INTO sqlite_sequence VALUES('quarantine',1);
CREATE INDEX virtual_machines_primary_node ON virtual_machines (primary_node);
CREATE INDEX virtual_machines_os ON virtual_machines (os);
CREATE INDEX virtual_machines_deleted_at ON virtual_machines (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX nodes_name ON nodes (name);
CREATE INDEX nodes_group_uuid ON nodes (group_uuid);
CREATE INDEX node_groups_name ON node_groups (name);
CREATE INDEX networks_name ON networks (name);
CREATE INDEX jobs_status ON jobs (status);
CREATE INDEX jobs_received_at ON jobs (received_at);
CREATE INDEX changes_object ON changes (kind, object_id);
CREATE UNIQUE INDEX permissions_cluster ON permissions (cluster_id, subject, permission) WHERE cluster_id IS NOT NULL;
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
CREATE INDEX virtual_machines_cluster_name ON virtual_machines (cluster_id, name);
CREATE INDEX virtual_machines_status ON virtual_machines (status, name);
CREATE INDEX virtual_machines_disk_template ON virtual_machines (disk_template);
CREATE INDEX virtual_machines_memory_mib ON virtual_machines (memory_mib);
CREATE INDEX virtual_machines_vcpus ON virtual_machines (vcpus);
CREATE INDEX virtual_machines_disk_mib ON virtual_machines (disk_mib);
CREATE INDEX virtual_machines_deleted_name ON virtual_machines (name) WHERE deleted_at IS NOT NULL;
CREATE INDEX changes_observed_at ON changes (kind, observed_at);
CREATE INDEX virtual_machines_name ON virtual_machines (name, id, observed_at);
CREATE UNIQUE INDEX permissions_vm ON permissions (vm_id, subject, permission, source) WHERE vm_id IS NOT NULL;
CREATE INDEX permissions_subject ON permissions (subject, permission);
CREATE TRIGGER vm_terms_insert AFTER INSERT ON virtual_machines
WHEN NOT EXISTS (SELECT 1 FROM vm_terms_bulk)
BEGIN
    INSERT OR IGNORE INTO vm_terms (kind, value, vm_id)
    SELECT 'tag', value, NEW.id FROM json_each(NEW.tags) WHERE value IS NOT NULL
    UNION SELECT 'ip', value, NEW.id FROM json_each(NEW.nic_ips) WHERE value IS NOT NULL
    UNION SELECT 'mac', value, NEW.id FROM json_each(NEW.nic_macs) WHERE value IS NOT NULL
    UNION SELECT 'network', value, NEW.id FROM json_each(NEW.nic_networks) WHERE value IS NOT NULL
    UNION SELECT 'secondary_node', value, NEW.id FROM json_each(NEW.secondary_nodes) WHERE value IS NOT NULL;
END;
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
CREATE TRIGGER vm_terms_delete AFTER DELETE ON virtual_machines
BEGIN
    DELETE FROM vm_terms WHERE kind = 'tag' AND vm_id = OLD.id AND value IN (SELECT value FROM json_each(OLD.tags));
    DELETE FROM vm_terms WHERE kind = 'ip' AND vm_id = OLD.id AND value IN (SELECT value FROM json_each(OLD.nic_ips));
    DELETE FROM vm_terms WHERE kind = 'mac' AND vm_id = OLD.id AND value IN (SELECT value FROM json_each(OLD.nic_macs));
    DELETE FROM vm_terms WHERE kind = 'network' AND vm_id = OLD.id AND value IN (SELECT value FROM json_each(OLD.nic_networks));
    DELETE FROM vm_terms WHERE kind = 'secondary_node' AND vm_id = OLD.id AND value IN (SELECT value FROM json_each(OLD.secondary_nodes));
END;
COMMIT;
