package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// errUntrue means that the database does not hold what the clusters say.
var errUntrue = errors.New("the database differs from the clusters")

// check compares the number of VMs of each cluster, and a sample of their rows, with what the simulator says.
func (g *rig) check(ctx context.Context) error {
	answer, err := g.simulator.Round(orderTruth)
	if err != nil {
		return err
	}
	var all []truth
	if err := json.Unmarshal(answer.Answer, &all); err != nil {
		return fmt.Errorf("reading the truth: %w", err)
	}
	counts, err := g.database.counts(ctx)
	if err != nil {
		return err
	}
	for _, t := range all {
		if counts[t.Cluster] != t.VMs {
			return fmt.Errorf("%w: %s has %d VMs, should have %d", errUntrue, t.Cluster, counts[t.Cluster], t.VMs)
		}
		delete(counts, t.Cluster)
		if err := g.database.compare(ctx, t); err != nil {
			return err
		}
	}
	if len(counts) > 0 {
		return fmt.Errorf("%w: there are %d more clusters: %v", errUntrue, len(counts), counts)
	}
	return nil
}

// counts are the live VMs by the name of their cluster.
func (d *database) counts(ctx context.Context) (map[string]int, error) {
	var rows []struct {
		Name string
		N    int
	}
	err := d.conn.SelectContext(ctx, &rows, `SELECT c.name, count(v.id) AS n
FROM clusters c LEFT JOIN virtual_machines v ON v.cluster_id = c.id AND v.deleted_at IS NULL GROUP BY c.name`)
	if err != nil {
		return nil, fmt.Errorf("counting the VMs: %w", err)
	}
	counts := make(map[string]int, len(rows))
	for _, r := range rows {
		counts[r.Name] = r.N
	}
	return counts, nil
}

// compare looks for the sampled rows of a cluster.
func (d *database) compare(ctx context.Context, t truth) error {
	for _, want := range t.Sample {
		var got row
		err := d.conn.GetContext(ctx, &got, `SELECT v.uuid, v.name, v.status, v.primary_node AS node, v.memory_mib, v.serial_no,
(extract(epoch FROM v.mtime) * 1000000)::bigint AS mtime, coalesce((SELECT ip FROM unnest(v.nic_ips) ip WHERE ip <> '' LIMIT 1), '') AS ip
FROM virtual_machines v JOIN clusters c ON c.id = v.cluster_id WHERE c.name = $1 AND v.uuid = $2 AND v.deleted_at IS NULL`, t.Cluster, want.UUID)
		if err != nil {
			return fmt.Errorf("reading %s of %s: %w", want.Name, t.Cluster, err)
		}
		if got != want {
			return fmt.Errorf("%w: %s: a VM is %+v, should be %+v", errUntrue, t.Cluster, got, want)
		}
	}
	return nil
}
