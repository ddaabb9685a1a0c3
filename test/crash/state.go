package main

import (
	"context"
	"fmt"
	"time"

	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/ganeti/rapisim"
)

// object says who an object is: its ids must be told apart by all three.
type object struct {
	kind          db.Kind
	cluster, uuid string
}

func (o object) String() string { return fmt.Sprintf("%s %s of %s", o.kind, o.uuid, o.cluster) }

// content is what is compared of an object: its name, and for a VM its status and node, or what stands for them.
type content struct{ name, status, place string }

// row is an object as the database has it.
type row struct {
	content

	id      int64
	deleted bool
}

// tables says where the rows of each kind are, and which columns are status and place.
func tables() map[db.Kind][3]string {
	return map[db.Kind][3]string{
		db.KindVM:      {"virtual_machines", "status", "primary_node"},
		db.KindNode:    {"nodes", "role", "primary_ip"},
		db.KindGroup:   {"node_groups", "alloc_policy", "''"},
		db.KindNetwork: {"networks", "network", "gateway"},
		db.KindJob:     {"jobs", "status", "''"},
	}
}

// state is what the database holds at one moment, as far as the trial looks.
type state struct {
	rows map[object]row
	// refreshed is when the newest answer began that was applied whole; the uuid is "".
	refreshed map[object]time.Time
	// generations counts the transactions that wrote rows.
	generations int64
	grants      map[int64]string
}

func readState(ctx context.Context, s *db.Store) (*state, error) {
	st := &state{rows: map[object]row{}, refreshed: map[object]time.Time{}, grants: map[int64]string{}}
	for kind, t := range tables() {
		if err := st.readRows(ctx, s, kind, t); err != nil {
			return nil, err
		}
	}
	status, err := s.Status(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range status {
		for _, f := range c.Freshness {
			st.generations += f.Generation
			if f.RefreshedAt != nil {
				st.refreshed[object{f.Kind, c.Name, ""}] = *f.RefreshedAt
			}
		}
	}
	var grants []struct {
		VMID    int64  `db:"vm_id"`
		Subject string `db:"subject"`
	}
	if err := s.DB().SelectContext(ctx, &grants, "SELECT vm_id, subject FROM permissions WHERE vm_id IS NOT NULL"); err != nil {
		return nil, fmt.Errorf("reading the grants: %w", err)
	}
	for _, g := range grants {
		st.grants[g.VMID] = g.Subject
	}
	return st, nil
}

func (st *state) readRows(ctx context.Context, s *db.Store, kind db.Kind, t [3]string) error {
	var rows []struct {
		ID      int64  `db:"id"`
		Cluster string `db:"cluster"`
		UUID    string `db:"uuid"`
		Name    string `db:"name"`
		Status  string `db:"status"`
		Place   string `db:"place"`
		Deleted bool   `db:"deleted"`
	}
	err := s.DB().SelectContext(ctx, &rows, "SELECT o.id, c.name AS cluster, o.uuid, o.name, "+t[1]+" AS status, "+t[2]+
		" AS place, o.deleted_at IS NOT NULL AS deleted FROM "+t[0]+" o JOIN clusters c ON c.id = o.cluster_id")
	if err != nil {
		return fmt.Errorf("reading the rows of kind %s: %w", kind, err)
	}
	for _, r := range rows {
		st.rows[object{kind, r.Cluster, r.UUID}] = row{content{r.Name, r.Status, r.Place}, r.ID, r.Deleted}
	}
	return nil
}

// readTruth gives what the clusters are.
func readTruth(ctx context.Context, farm *rapisim.Farm) (map[object]content, error) {
	truth := map[object]content{}
	for i, s := range farm.Servers() {
		name, c := clusterName(i), s.Cluster()
		for _, v := range c.Instances() {
			truth[object{db.KindVM, name, v.UUID}] = content{v.Name, v.Status, v.PNode}
		}
		for _, n := range c.Nodes() {
			truth[object{db.KindNode, name, n.UUID}] = content{n.Name, n.Role, n.PrimaryIP}
		}
		for _, g := range c.Groups() {
			truth[object{db.KindGroup, name, g.UUID}] = content{g.Name, g.AllocPolicy, ""}
		}
		for _, n := range c.Networks() {
			truth[object{db.KindNetwork, name, n.UUID}] = content{n.Name, n.Network, n.Gateway}
		}
		if err := readJobs(ctx, s, name, truth); err != nil {
			return nil, err
		}
	}
	return truth, nil
}

// readJobs asks over RAPI: the simulator tells of jobs nowhere else.
func readJobs(ctx context.Context, s *rapisim.Server, cluster string, truth map[object]content) error {
	client, err := ganeti.New(ganeti.Settings{
		URL: s.URL(), Username: "gwm", Password: password, TLS: ganeti.TLS{PinSHA256: s.Pin()},
	})
	if err != nil {
		return fmt.Errorf("reaching %s: %w", cluster, err)
	}
	answer, err := client.Bulk(ctx, ganeti.Jobs, nil)
	if err != nil {
		return fmt.Errorf("reading the jobs of %s: %w", cluster, err)
	}
	for _, raw := range answer.Each() {
		j, err := ganeti.DecodeJob(raw)
		if err != nil {
			return fmt.Errorf("reading a job of %s: %w", cluster, err)
		}
		truth[object{db.KindJob, cluster, j.ID}] = content{j.Name, j.Status, ""}
	}
	return nil
}
