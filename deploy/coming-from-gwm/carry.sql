-- Grants what gwm_permissions has (stage.sql, export.sql), by host name, and says what it did not grant and why. It is the
-- same for PostgreSQL and SQLite, and changes nothing when it is run again. docs/coming-from-gwm.md says how it is used.

-- Which of our clusters: the one that gwm_clusters names, else those whose name, own name or RAPI host it is, or whose
-- name is the slug.
CREATE TEMPORARY TABLE gwm_cluster_ids AS
SELECT DISTINCT p.cluster, p.slug, c.id AS cluster_id
FROM (SELECT DISTINCT cluster, slug FROM gwm_permissions WHERE cluster <> '') p
LEFT JOIN gwm_clusters m ON lower(m.hostname) = lower(p.cluster)
JOIN clusters c ON c.name = m.name
                OR m.name IS NULL AND (lower(p.cluster) IN (lower(c.name), lower(c.ganeti_name), lower(c.rapi_host))
                                       OR lower(p.slug) = lower(c.name));

-- Ganeti Web Manager keeps host names in lower case.
CREATE TEMPORARY TABLE gwm_vms AS
SELECT id AS vm_id, cluster_id, lower(name) AS name FROM virtual_machines WHERE deleted_at IS NULL;

CREATE TEMPORARY TABLE gwm_verdicts AS
SELECT CASE p.kind WHEN 'group' THEN 'group:' || p.holder ELSE p.holder END AS subject,
       -- There it is for the tags of the cluster alone; here a grant on a cluster is one on all its VMs.
       CASE WHEN p.vm = '' AND p.permission = 'tags' THEN 'cluster_tags' ELSE p.permission END AS permission,
       p.cluster, p.vm, min(k.cluster_id) AS cluster_id, min(v.vm_id) AS vm_id,
       CASE
           WHEN min(p.active) = 0 THEN 'the user may not log in'
           WHEN p.permission = 'superuser' THEN 'a superuser: grant what that shall mean here'
           WHEN p.kind NOT IN ('user', 'group') THEN 'the owner is neither a user nor a group'
           WHEN count(DISTINCT k.cluster_id) = 0 THEN 'no cluster matches: name it in gwm_clusters'
           WHEN count(DISTINCT k.cluster_id) > 1 THEN 'several clusters match: name one in gwm_clusters'
           WHEN p.vm = '' THEN 'granted'
           WHEN count(DISTINCT v.vm_id) = 0 THEN 'no VM of this name in the cluster'
           WHEN count(DISTINCT v.vm_id) > 1 THEN 'several VMs of this name in the cluster'
           ELSE 'granted'
       END AS verdict
FROM gwm_permissions p
LEFT JOIN gwm_cluster_ids k ON k.cluster = p.cluster AND k.slug = p.slug
LEFT JOIN gwm_vms v ON v.cluster_id = k.cluster_id AND v.name = lower(p.vm)
GROUP BY p.kind, p.holder, p.permission, p.cluster, p.slug, p.vm;

INSERT INTO permissions (subject, permission, vm_id)
SELECT subject, permission, vm_id FROM gwm_verdicts WHERE verdict = 'granted' AND vm <> ''
ON CONFLICT DO NOTHING;

INSERT INTO permissions (subject, permission, cluster_id)
SELECT subject, permission, cluster_id FROM gwm_verdicts WHERE verdict = 'granted' AND vm = ''
ON CONFLICT DO NOTHING;

SELECT verdict, count(*) AS permissions FROM gwm_verdicts GROUP BY verdict ORDER BY verdict;

-- What was not granted, and a cluster that has a VM of that name now.
SELECT w.verdict, w.subject, w.permission, w.cluster, w.vm,
       coalesce((SELECT min(c.name) FROM gwm_vms v JOIN clusters c ON c.id = v.cluster_id
                 WHERE v.name = lower(w.vm) AND w.vm <> ''), '') AS seen_in
FROM gwm_verdicts w
WHERE w.verdict <> 'granted'
ORDER BY w.verdict, w.cluster, w.vm, w.subject, w.permission;
