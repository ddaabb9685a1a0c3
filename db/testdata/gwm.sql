-- The tables of Ganeti Web Manager 0.11 that its permissions are in, with the columns that matter, and a small site. The
-- names are those of its models and South migrations (authentication, clusters, virtualmachines, ganeti_web) and of
-- object_permissions 1.4, which keeps each permission as an integer column.
CREATE TABLE auth_user (id INTEGER PRIMARY KEY, username VARCHAR(75) NOT NULL, is_active BOOLEAN NOT NULL, is_superuser BOOLEAN NOT NULL);
CREATE TABLE auth_group (id INTEGER PRIMARY KEY, name VARCHAR(80) NOT NULL);
CREATE TABLE clusters_cluster (id INTEGER PRIMARY KEY, hostname VARCHAR(128) NOT NULL, slug VARCHAR(50) NOT NULL);
CREATE TABLE authentication_clusteruser (id INTEGER PRIMARY KEY, name VARCHAR(128) NOT NULL, real_type_id INTEGER);
CREATE TABLE authentication_profile (clusteruser_ptr_id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL);
CREATE TABLE authentication_organization (clusteruser_ptr_id INTEGER PRIMARY KEY, group_id INTEGER NOT NULL);
CREATE TABLE virtualmachines_virtualmachine (
    id INTEGER PRIMARY KEY, cluster_id INTEGER NOT NULL, hostname VARCHAR(128) NOT NULL, owner_id INTEGER
);
CREATE TABLE ganeti_web_cluster_perms (
    id INTEGER PRIMARY KEY, user_id INTEGER, group_id INTEGER, obj_id INTEGER NOT NULL, admin INTEGER NOT NULL,
    create_vm INTEGER NOT NULL, export INTEGER NOT NULL, migrate INTEGER NOT NULL, replace_disks INTEGER NOT NULL, tags INTEGER NOT NULL
);
CREATE TABLE ganeti_web_virtualmachine_perms (
    id INTEGER PRIMARY KEY, user_id INTEGER, group_id INTEGER, obj_id INTEGER NOT NULL, admin INTEGER NOT NULL,
    modify INTEGER NOT NULL, power INTEGER NOT NULL, remove INTEGER NOT NULL, tags INTEGER NOT NULL
);

INSERT INTO auth_user VALUES
    (1, 'alice', TRUE, FALSE), (2, 'EXAMPLE\bob', TRUE, FALSE), (3, 'left', FALSE, FALSE), (4, 'root', TRUE, TRUE);
INSERT INTO auth_group VALUES (1, 'web'), (2, 'db, "night" shift');
-- The second has another name in our configuration, the third is ambiguous there.
INSERT INTO clusters_cluster VALUES
    (1, 'rapi.example.org', 'prod'), (2, 'old.example.org', 'old'), (3, 'twice.example.org', 'twice');
INSERT INTO authentication_clusteruser VALUES (11, 'alice', 1), (12, 'web', 2), (13, 'left', 1), (14, 'neither', 3);
INSERT INTO authentication_profile VALUES (11, 1), (13, 3);
INSERT INTO authentication_organization VALUES (12, 1);
INSERT INTO virtualmachines_virtualmachine VALUES
    (101, 1, 'web.example.org', 11), (102, 1, 'db.example.org', 12), (103, 1, 'gone.example.org', 11),
    (104, 1, 'twin.example.org', 14), (105, 1, 'moved.example.org', NULL), (106, 2, 'test.example.org', 13),
    (107, 3, 'web.example.org', NULL);
INSERT INTO ganeti_web_virtualmachine_perms VALUES
    (1, 1, NULL, 101, 1, 0, 1, 0, 0), (2, NULL, 1, 101, 0, 0, 1, 0, 0), (3, 2, NULL, 102, 0, 1, 0, 1, 1),
    (4, NULL, 2, 102, 0, 0, 1, 0, 0), (5, 1, NULL, 103, 1, 0, 0, 0, 0), (6, 1, NULL, 104, 0, 0, 1, 0, 0),
    (7, 1, NULL, 105, 0, 0, 1, 0, 0), (8, 3, NULL, 101, 1, 0, 0, 0, 0), (9, 2, NULL, 106, 0, 0, 1, 0, 0),
    (10, 2, NULL, 107, 0, 0, 1, 0, 0),
    -- all taken back, and the same once more: object_permissions has no constraint against either
    (11, 2, NULL, 101, 0, 0, 0, 0, 0), (12, 1, NULL, 101, 0, 0, 1, 0, 0);
INSERT INTO ganeti_web_cluster_perms VALUES
    (1, NULL, 1, 1, 0, 1, 0, 1, 0, 1), (2, 1, NULL, 2, 1, 0, 0, 0, 0, 0);
