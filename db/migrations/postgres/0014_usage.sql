-- +goose Up

-- What is allocated: the disks of all VMs, since a stopped VM keeps its own; memory and CPUs of those that run, and of those
-- that should run on a node that does not answer: they still have them, or will have them again on another node.
CREATE OR REPLACE VIEW cluster_usage AS
SELECT c.id AS cluster_id, c.name AS cluster, n.nodes, v.vms, v.vms_running,
       n.memory_total_mib, n.memory_free_mib, v.memory_allocated_mib,
       n.disk_total_mib, n.disk_free_mib, v.disk_allocated_mib,
       n.cpus_total, n.cpus_total - v.cpus_allocated AS cpus_free, v.cpus_allocated
FROM clusters c
CROSS JOIN LATERAL (
    SELECT count(*) AS nodes,
           CAST(coalesce(sum(memory_total_mib), 0) AS BIGINT) AS memory_total_mib,
           CAST(coalesce(sum(memory_free_mib), 0) AS BIGINT) AS memory_free_mib,
           CAST(coalesce(sum(disk_total_mib), 0) AS BIGINT) AS disk_total_mib,
           CAST(coalesce(sum(disk_free_mib), 0) AS BIGINT) AS disk_free_mib,
           CAST(coalesce(sum(cpus), 0) AS BIGINT) AS cpus_total
    FROM nodes WHERE cluster_id = c.id AND deleted_at IS NULL
) n
CROSS JOIN LATERAL (
    SELECT count(*) AS vms,
           count(*) FILTER (WHERE oper_state) AS vms_running,
           CAST(coalesce(sum(coalesce(oper_memory_mib, memory_mib)) FILTER (WHERE has_memory), 0) AS BIGINT)
               AS memory_allocated_mib,
           CAST(coalesce(sum(disk_mib), 0) AS BIGINT) AS disk_allocated_mib,
           CAST(coalesce(sum(vcpus) FILTER (WHERE has_memory), 0) AS BIGINT) AS cpus_allocated
    FROM (
        SELECT *, (oper_state OR admin_state = 'up' AND status IN ('ERROR_nodedown', 'ERROR_nodeoffline')) AS has_memory
        FROM virtual_machines
        WHERE cluster_id = c.id AND deleted_at IS NULL
    ) live
) v;
COMMENT ON VIEW cluster_usage IS 'memory, disk and CPUs per cluster: total, free, allocated (disks of all VMs; memory and CPUs of running ones and of those whose node is down); cpus_free below 0 is over-commitment';
