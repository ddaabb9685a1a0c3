package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"
)

// The tables beside that of the VMs, of which the rows are counted.
const (
	tableNodes    = "nodes"
	tableGroups   = "node_groups"
	tableNetworks = "networks"
	tableJobs     = "jobs"
)

// facts are what is true of all clusters, or what a database says is.
type facts struct {
	VMs []fact `json:"vms"`
	// Objects counts the live rows of other tables.
	Objects map[string]int `json:"objects"`
}

// fact is what is compared of one VM.
type fact struct {
	Cluster   string   `json:"cluster"`
	UUID      string   `json:"uuid"`
	Name      string   `json:"name"`
	Status    string   `json:"status"`
	Tags      []string `json:"tags"`
	MemoryMiB int64    `json:"memory_mib"`
}

func (f fact) key() string { return f.Cluster + " " + f.UUID }

func (f fact) String() string {
	tags := slices.Clone(f.Tags)
	slices.Sort(tags)
	return fmt.Sprintf("%s %s %s %d MiB", f.Name, f.Status, strings.Join(tags, ","), f.MemoryMiB)
}

// The queries of the live VMs: cluster, uuid, name, status, tags as JSON, memory.
const (
	selectPostgres = `SELECT c.name, v.uuid, v.name, v.status, array_to_json(v.tags)::text, v.memory_mib
FROM virtual_machines v JOIN clusters c ON c.id = v.cluster_id WHERE v.deleted_at IS NULL`
	selectSQLite = `SELECT c.name, v.uuid, v.name, v.status, v.tags, v.memory_mib
FROM virtual_machines v JOIN clusters c ON c.id = v.cluster_id WHERE v.deleted_at IS NULL`
	selectPeer = `SELECT cluster, uuid, name, status, array_to_json(tags)::text, memory_mib FROM bench_vms`
)

// updaterTables are what the updater keeps beside VMs.
func updaterTables() []string { return []string{tableNodes, tableGroups, tableNetworks, tableJobs} }

// readFacts asks a database for its VMs, and how many live rows the tables have.
func readFacts(ctx context.Context, conn *sqlx.DB, selectVMs string, tables []string) (f facts, err error) {
	rows, err := conn.QueryContext(ctx, selectVMs)
	if err != nil {
		return f, fmt.Errorf("reading the VMs: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var v fact
		var tags []byte
		if err := rows.Scan(&v.Cluster, &v.UUID, &v.Name, &v.Status, &tags, &v.MemoryMiB); err != nil {
			return f, fmt.Errorf("reading a VM: %w", err)
		}
		if err := json.Unmarshal(tags, &v.Tags); err != nil {
			return f, fmt.Errorf("reading the tags of %s: %w", v.Name, err)
		}
		f.VMs = append(f.VMs, v)
	}
	if err := rows.Err(); err != nil {
		return f, fmt.Errorf("reading the VMs: %w", err)
	}
	f.Objects = map[string]int{}
	for _, table := range tables {
		var n int
		if err := conn.GetContext(ctx, &n, "SELECT count(*) FROM "+table+" WHERE deleted_at IS NULL"); err != nil {
			return f, fmt.Errorf("counting the rows of %s: %w", table, err)
		}
		f.Objects[table] = n
	}
	return f, nil
}

// errUntrue means that a database does not hold what the clusters say.
var errUntrue = errors.New("the database differs from the clusters")

// compare looks for a difference between the truth and what a database says, and names a few.
func compare(truth, got facts) error {
	want := make(map[string]fact, len(truth.VMs))
	for _, v := range truth.VMs {
		want[v.key()] = v
	}
	var wrong []string
	for _, v := range got.VMs {
		w, ok := want[v.key()]
		switch {
		case !ok:
			wrong = append(wrong, fmt.Sprintf("%s: %s should not be there", v.key(), v))
		case w.String() != v.String():
			wrong = append(wrong, fmt.Sprintf("%s: is %s, should be %s", v.key(), v, w))
		}
		delete(want, v.key())
	}
	for key, w := range want {
		wrong = append(wrong, fmt.Sprintf("%s: %s is missing", key, w))
	}
	for table, n := range got.Objects {
		if n != truth.Objects[table] {
			wrong = append(wrong, fmt.Sprintf("%s: %d live rows, should be %d", table, n, truth.Objects[table]))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.SortFunc(wrong, cmp.Compare[string])
	const shown = 5
	return fmt.Errorf("%w in %d places:\n%s", errUntrue, len(wrong), strings.Join(wrong[:min(shown, len(wrong))], "\n"))
}
