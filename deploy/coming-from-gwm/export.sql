-- Who may do what in Ganeti Web Manager 0.11, one row for each permission: docs/coming-from-gwm.md says how it is used.
-- It only reads, and runs unchanged on MySQL, PostgreSQL and SQLite. In 0.7 to 0.10 the tables have other names, and
-- the document has the line that changes them here.
--
-- Columns: kind of holder (user, group, none), holder, 0 for a user who may not log in, permission, cluster's host name,
-- cluster's slug, VM's host name (empty: the permission is on the cluster).

-- VMs: users and groups
SELECT h.kind, h.holder, h.active, perm.name AS permission, c.hostname AS cluster, c.slug, v.hostname AS vm
FROM (
    SELECT p.id, 'user' AS kind, u.username AS holder, CASE WHEN u.is_active THEN 1 ELSE 0 END AS active
    FROM ganeti_web_virtualmachine_perms p JOIN auth_user u ON u.id = p.user_id
    UNION ALL
    SELECT p.id, 'group', g.name, 1
    FROM ganeti_web_virtualmachine_perms p JOIN auth_group g ON g.id = p.group_id
) h
JOIN ganeti_web_virtualmachine_perms p ON p.id = h.id
JOIN virtualmachines_virtualmachine v ON v.id = p.obj_id
JOIN clusters_cluster c ON c.id = v.cluster_id
CROSS JOIN (
    SELECT 'admin' AS name UNION ALL SELECT 'modify' UNION ALL SELECT 'power' UNION ALL SELECT 'remove' UNION ALL SELECT 'tags'
) perm
WHERE CASE perm.name WHEN 'admin' THEN p.admin WHEN 'modify' THEN p.modify WHEN 'power' THEN p.power
                     WHEN 'remove' THEN p.remove WHEN 'tags' THEN p.tags END <> 0

UNION ALL

-- Clusters: users and groups
SELECT h.kind, h.holder, h.active, perm.name, c.hostname, c.slug, ''
FROM (
    SELECT p.id, 'user' AS kind, u.username AS holder, CASE WHEN u.is_active THEN 1 ELSE 0 END AS active
    FROM ganeti_web_cluster_perms p JOIN auth_user u ON u.id = p.user_id
    UNION ALL
    SELECT p.id, 'group', g.name, 1
    FROM ganeti_web_cluster_perms p JOIN auth_group g ON g.id = p.group_id
) h
JOIN ganeti_web_cluster_perms p ON p.id = h.id
JOIN clusters_cluster c ON c.id = p.obj_id
CROSS JOIN (
    SELECT 'admin' AS name UNION ALL SELECT 'create_vm' UNION ALL SELECT 'export' UNION ALL SELECT 'migrate'
    UNION ALL SELECT 'replace_disks' UNION ALL SELECT 'tags'
) perm
WHERE CASE perm.name WHEN 'admin' THEN p.admin WHEN 'create_vm' THEN p.create_vm WHEN 'export' THEN p.export
                     WHEN 'migrate' THEN p.migrate WHEN 'replace_disks' THEN p.replace_disks WHEN 'tags' THEN p.tags END <> 0

UNION ALL

-- Owners of VMs: a ClusterUser is the Profile of a user or the Organization of a group
SELECT CASE WHEN u.id IS NOT NULL THEN 'user' WHEN g.id IS NOT NULL THEN 'group' ELSE 'none' END,
       COALESCE(u.username, g.name, cu.name), CASE WHEN u.id IS NULL OR u.is_active THEN 1 ELSE 0 END,
       'owner', c.hostname, c.slug, v.hostname
FROM virtualmachines_virtualmachine v
JOIN clusters_cluster c ON c.id = v.cluster_id
JOIN authentication_clusteruser cu ON cu.id = v.owner_id
LEFT JOIN authentication_profile pr ON pr.clusteruser_ptr_id = cu.id
LEFT JOIN auth_user u ON u.id = pr.user_id
LEFT JOIN authentication_organization o ON o.clusteruser_ptr_id = cu.id
LEFT JOIN auth_group g ON g.id = o.group_id

UNION ALL

-- Superusers, who may do everything: carry.sql only reports them
SELECT 'user', u.username, CASE WHEN u.is_active THEN 1 ELSE 0 END, 'superuser', '', '', ''
FROM auth_user u WHERE u.is_superuser;
