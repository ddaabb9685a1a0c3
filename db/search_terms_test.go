package db_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// SQLite's index on lists has the elements of the rows and nothing else, whatever was written how.
func TestSQLite_TermsFollow(t *testing.T) {
	t.Parallel()
	s := dbtest.SQLite(t)
	x := newSite(t, s)
	check := func(what string) {
		t.Helper()
		const kept = "SELECT kind || ' ' || value || ' ' || vm_id FROM vm_terms ORDER BY 1"
		const due = `
SELECT DISTINCT kind || ' ' || value || ' ' || vm_id FROM (
SELECT 'tag' AS kind, e.value, v.id AS vm_id FROM virtual_machines v, json_each(v.tags) e
UNION ALL SELECT 'ip', e.value, v.id FROM virtual_machines v, json_each(v.nic_ips) e
UNION ALL SELECT 'mac', e.value, v.id FROM virtual_machines v, json_each(v.nic_macs) e
UNION ALL SELECT 'network', e.value, v.id FROM virtual_machines v, json_each(v.nic_networks) e
UNION ALL SELECT 'secondary_node', e.value, v.id FROM virtual_machines v, json_each(v.secondary_nodes) e)
WHERE value IS NOT NULL ORDER BY 1`
		var got, want []string
		for query, into := range map[string]*[]string{kept: &got, due: &want} {
			if err := s.DB().SelectContext(t.Context(), into, query); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-rows +vm_terms):\n%s", what, diff)
		}
	}
	x.seed()
	check("after the first load and a removal")
	x.now = x.now.Add(time.Hour)
	x.answer(x.alpha, db.KindVM,
		searched(1, "web1.example.org", func(v *db.VM) { v.Tags, v.NICNetworks = db.List{"new", "new"}, db.List{"net1", "", "net1"} }),
		searched(2, "web2.example.org", func(v *db.VM) { v.Tags, v.SecondaryNodes = nil, db.List{"node3", "node4"} }),
		searched(5, "gone.example.org", func(v *db.VM) { v.NICIPs = db.List{"203.0.113.1", "203.0.113.2"} }),
		searched(8, "young.example.org"))
	check("after updates with equal elements, a restoration and a creation")
	x.now = x.now.Add(time.Hour)
	x.answer(x.alpha, db.KindVM)
	if n := must(s.Purge(t.Context(), x.now.Add(time.Hour)))(t); n != 6 {
		t.Errorf("%d rows purged", n)
	}
	check("after a purge")
	if _, err := s.Writer().ExecContext(t.Context(), "DELETE FROM clusters"); err != nil {
		t.Fatal(err)
	}
	check("after all clusters went")
}

func TestSearch_OtherKinds(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		x := newSite(t, s)
		x.answer(x.alpha, db.KindGroup, &db.Group{Object: db.Object{UUID: "g1", Name: "default"}, Nodes: db.List{"node1"}, NodeCount: new(int64(1))},
			&db.Group{Object: db.Object{UUID: "g2", Name: "rack2"}, Tags: db.List{"hot"}})
		x.answer(x.alpha, db.KindNode,
			&db.Node{Object: db.Object{UUID: "n1", Name: "node1"}, Role: "M", GroupUUID: "g1", PrimaryIP: "10.0.0.1", MemoryFreeMiB: new(int64(100)), Tags: db.List{"ssd", "rack:1"}},
			&db.Node{Object: db.Object{UUID: "n2", Name: "node2"}, Role: "O", GroupUUID: "g2", SecondaryIP: "10.0.1.2"})
		x.answer(x.alpha, db.KindNetwork, &db.Network{Object: db.Object{UUID: "w1", Name: "net1"}, Network: "10.0.0.0/24", Tags: db.List{"dmz"}})
		early, late := x.now, x.now.Add(time.Minute)
		x.answer(x.alpha, db.KindJob,
			&db.Job{Object: db.Object{UUID: "1", Name: "INSTANCE_CREATE(web1)"}, Status: "success", ReceivedAt: &early},
			&db.Job{Object: db.Object{UUID: "2", Name: "INSTANCE_REMOVE(web1)"}, Status: "error", ReceivedAt: &late})

		nodes := func(f db.NodeFilter) string { return names(t, must(s.SearchNodes(t.Context(), f))(t), nodeName) }
		groups := func(f db.GroupFilter) string {
			return names(t, must(s.SearchGroups(t.Context(), f))(t), func(v *db.GroupView) string { return v.Name })
		}
		networks := func(f db.NetworkFilter) string {
			return names(t, must(s.SearchNetworks(t.Context(), f))(t), func(v *db.NetworkView) string { return v.Name })
		}
		jobs := func(f db.JobFilter) string {
			return names(t, must(s.SearchJobs(t.Context(), f))(t), func(v *db.JobView) string { return v.UUID })
		}
		free := int64(100)
		for _, tt := range []struct{ name, got, want string }{
			{"nodes", nodes(db.NodeFilter{}), "node1 node2"},
			{"nodes by role", nodes(db.NodeFilter{Roles: []string{"offline", "D"}}), "node2"},
			{"nodes by group", nodes(db.NodeFilter{Group: "rack2"}), "node2"},
			{"nodes by group's uuid", nodes(db.NodeFilter{Group: "g1"}), "node1"},
			{"nodes by secondary IP", nodes(db.NodeFilter{IP: "10.0.1.2"}), "node2"},
			{"nodes by tag", nodes(db.NodeFilter{Tags: []string{"ssd"}}), "node1"},
			{"nodes by prefix", nodes(db.NodeFilter{TagPrefixes: []string{"rack:"}}), "node1"},
			{"nodes by free memory", nodes(db.NodeFilter{MemoryFree: db.Range{Min: &free}}), "node1"},
			{"nodes by glob", nodes(db.NodeFilter{Name: "*2"}), "node2"},
			{"nodes backwards", nodes(db.NodeFilter{Descending: true}), "node2 node1"},
			{"nodes that changed", nodes(db.NodeFilter{ChangedSince: &late}), ""},
			{"groups by node", groups(db.GroupFilter{Node: "node1"}), "default"},
			{"groups by tag", groups(db.GroupFilter{Tags: []string{"hot"}}), "rack2"},
			{"groups by count", groups(db.GroupFilter{Sort: "node_count"}), "rack2 default"},
			{"networks by prefix", networks(db.NetworkFilter{TagPrefixes: []string{"d"}}), "net1"},
			{"networks of beta", networks(db.NetworkFilter{Clusters: []string{"beta"}}), ""},
			{"jobs, newest first", jobs(db.JobFilter{}), "2 1"},
			{"jobs by status", jobs(db.JobFilter{Statuses: []string{"success", "queued"}}), "1"},
			{"jobs by name", jobs(db.JobFilter{Name: "*(web1)", Sort: "id"}), "1 2"},
		} {
			if tt.got != tt.want {
				t.Errorf("%s: found %q, want %q", tt.name, tt.got, tt.want)
			}
		}
		page := must(s.SearchJobs(t.Context(), db.JobFilter{Limit: 1}))(t)
		if got := jobs(db.JobFilter{Limit: 1, After: page.Next}); got != "1" {
			t.Errorf("the second page of jobs has %q", got)
		}
		for name, look := range map[string]func() (string, error){
			"node": func() (string, error) {
				v, err := s.Node(t.Context(), db.ObjectRef{Name: "node1"})
				return v.Cluster, err
			},
			"group": func() (string, error) {
				v, err := s.Group(t.Context(), db.ObjectRef{UUID: "g2"})
				return v.Cluster, err
			},
			"network": func() (string, error) {
				v, err := s.Network(t.Context(), db.ObjectRef{Name: "net1", Cluster: "alpha"})
				return v.Cluster, err
			},
		} {
			if got, err := look(); err != nil || got != "alpha" {
				t.Errorf("looking up a %s: %q, %v", name, got, err)
			}
		}
	})
}

func nodeName(v *db.NodeView) string { return v.Name }

// names joins what name gives of each row.
func names[T any](t *testing.T, page db.Page[T], name func(v *T) string) string {
	t.Helper()
	var found []string
	for i := range page.Items {
		found = append(found, name(&page.Items[i]))
	}
	return strings.Join(found, " ")
}
