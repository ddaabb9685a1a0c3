-- +goose Up

-- What is allocated: the disks of all VMs, since a stopped VM keeps its own; memory and CPUs of those that run, and of those
-- that should run on a node that does not answer: they still have them, or will have them again on another node.
DROP VIEW cluster_usage;
CREATE VIEW cluster_usage AS
WITH n AS (
    SELECT cluster_id, count(*) AS nodes, sum(memory_total_mib) AS memory_total_mib,
           sum(memory_free_mib) AS memory_free_mib, sum(disk_total_mib) AS disk_total_mib,
           sum(disk_free_mib) AS disk_free_mib, sum(cpus) AS cpus_total
    FROM nodes WHERE deleted_at IS NULL GROUP BY cluster_id
), live AS (
    SELECT *, (oper_state OR admin_state = 'up' AND status IN ('ERROR_nodedown', 'ERROR_nodeoffline')) AS has_memory
    FROM virtual_machines WHERE deleted_at IS NULL
), v AS (
    SELECT cluster_id, count(*) AS vms, count(*) FILTER (WHERE oper_state) AS vms_running,
           sum(coalesce(oper_memory_mib, memory_mib)) FILTER (WHERE has_memory) AS memory_allocated_mib,
           sum(disk_mib) AS disk_allocated_mib,
           sum(vcpus) FILTER (WHERE has_memory) AS cpus_allocated
    FROM live GROUP BY cluster_id
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
