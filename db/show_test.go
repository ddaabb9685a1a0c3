package db_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// looked is what became of a look-up: cluster and name, or the error's kind.
func looked(v db.VMView, err error) string {
	var ambiguous *db.AmbiguousError
	switch {
	case errors.As(err, &ambiguous):
		return "ambiguous: " + strings.Join(ambiguous.Candidates, ", ")
	case errors.Is(err, db.ErrNotFound):
		return "not found"
	case err != nil:
		return err.Error()
	}
	return v.Cluster + "/" + v.Name
}

func TestVM_LookUp(t *testing.T) {
	t.Parallel()
	const uuid1, uuid6 = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000006"
	tests := []struct {
		name string
		ref  db.VMRef
		want string
	}{
		{"name", db.VMRef{Name: "web2.example.org"}, "alpha/web2.example.org"},
		{"name in a cluster", db.VMRef{Name: "web1.example.org", Cluster: "beta"}, "beta/web1.example.org"},
		{"name in two clusters", db.VMRef{Name: "web1.example.org"}, "ambiguous: alpha/web1.example.org (" + uuid1 + "), beta/web1.example.org (" + uuid6 + ")"},
		{"uuid", db.VMRef{UUID: uuid6}, "beta/web1.example.org"},
		{"uuid as a name", db.VMRef{Name: uuid6}, "beta/web1.example.org"},
		{"uuid in another cluster", db.VMRef{UUID: uuid6, Cluster: "alpha"}, "not found"},
		{"uuid goes before name", db.VMRef{UUID: uuid6, Name: "web2.example.org"}, "beta/web1.example.org"},
		{"nothing", db.VMRef{}, "not found"},
		{"no such name", db.VMRef{Name: "web9"}, "not found"},
		{"no glob", db.VMRef{Name: "web*"}, "not found"},
		{"gone", db.VMRef{Name: "gone.example.org"}, "not found"},
		{"gone, but wanted", db.VMRef{Name: "gone.example.org", Tombstones: true}, "alpha/gone.example.org"},
		{"NUL", db.VMRef{Name: "\x00"}, "not found"},
	}
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		x := newSite(t, s)
		x.seed()
		for _, tt := range tests {
			if diff := cmp.Diff(tt.want, looked(s.VM(t.Context(), tt.ref, nil))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			}
		}
		v := must(s.VM(t.Context(), db.VMRef{UUID: uuid1}, nil))(t)
		if v.Info == nil || v.CredentialsHash != "h-a" {
			t.Errorf("info %q, credentials hash %q", v.Info, v.CredentialsHash)
		}
	})
}

// Of two tombstones with a name, the last to go is found; a live VM of the name goes before both.
func TestVM_Tombstones(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		x := newSite(t, s)
		x.answer(x.alpha, db.KindVM, searched(1, "web1"))
		x.now = x.now.Add(time.Hour)
		x.answer(x.alpha, db.KindVM, searched(2, "web1"))
		x.now = x.now.Add(time.Hour)
		x.answer(x.alpha, db.KindVM)
		ref := db.VMRef{Name: "web1", Tombstones: true}
		if v := must(s.VM(t.Context(), ref, nil))(t); !strings.HasSuffix(v.UUID, "2") || v.DeletedAt == nil {
			t.Errorf("found %s, gone %v", v.UUID, v.DeletedAt)
		}
		x.now = x.now.Add(time.Hour)
		x.answer(x.beta, db.KindVM, searched(3, "web1"))
		if v := must(s.VM(t.Context(), ref, nil))(t); v.Cluster != "beta" {
			t.Errorf("found %s/%s", v.Cluster, v.UUID)
		}
	})
}

// Somebody who may see one VM, or one cluster, learns of no other by any way of reading.
func TestPermitted_Reading(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		x := newSite(t, s)
		x.seed()
		node := &db.Node{Object: db.Object{UUID: "n1", Name: "node1"}, Role: "M"}
		x.answer(x.beta, db.KindNode, node)
		one := must(s.VM(t.Context(), db.VMRef{Name: "web2.example.org"}, nil))(t)
		for _, grant := range []string{
			"INSERT INTO permissions (subject, permission, vm_id) SELECT 'ann', 'view', id FROM virtual_machines WHERE name IN ('web2.example.org', 'gone.example.org')",
			"INSERT INTO permissions (subject, permission, cluster_id) SELECT 'bob', 'view', id FROM clusters WHERE name = 'beta'",
		} {
			if _, err := s.Writer().ExecContext(t.Context(), grant); err != nil {
				t.Fatal(err)
			}
		}
		ann, bob := &db.Permitted{Subjects: []string{"ann", "staff"}, Permission: "view"}, &db.Permitted{Subjects: []string{"bob"}, Permission: "view"}
		edit := &db.Permitted{Subjects: []string{"ann"}, Permission: "edit"}
		for _, tt := range []struct {
			name string
			p    *db.Permitted
			want string
		}{{"a VM", ann, "2"}, {"a cluster", bob, "6 7"}, {"another permission", edit, ""}, {"nobody", &db.Permitted{}, ""}} {
			if got := x.found(db.VMFilter{Permitted: tt.p}); got != tt.want {
				t.Errorf("%s: found %q, want %q", tt.name, got, tt.want)
			}
		}
		if got := x.found(db.VMFilter{Permitted: ann, Tombstones: db.TombstonesOnly}); got != "5" {
			t.Errorf("a permitted tombstone: found %q", got)
		}
		for ref, want := range map[string]string{
			"web2.example.org": "alpha/web2.example.org", "web1.example.org": "not found", "mail.example.org": "not found",
			"00000000-0000-4000-8000-000000000001": "not found",
		} {
			if got := looked(s.VM(t.Context(), db.VMRef{Name: ref}, ann)); got != want {
				t.Errorf("ann looks up %s: %s, want %s", ref, got, want)
			}
		}
		// The other web1 is in a cluster that bob may not see: for him the name is not ambiguous.
		if got := looked(s.VM(t.Context(), db.VMRef{Name: "web1.example.org"}, bob)); got != "beta/web1.example.org" {
			t.Errorf("bob looks up web1: %s", got)
		}
		for _, by := range []db.SumBy{db.SumTotal, db.SumByCluster, db.SumByNode, db.SumByOS, db.SumByStatus, db.SumByTag} {
			for _, sum := range must(s.SumVMs(t.Context(), db.VMFilter{Permitted: ann}, by))(t) {
				if sum.VMs != 1 || sum.MemoryMiB != 8192 {
					t.Errorf("ann's sum by %q: %+v", by, sum)
				}
			}
		}
		for _, c := range must(s.ChangesAfter(t.Context(), db.ChangeFilter{Permitted: ann}))(t) {
			if c.ObjectID != one.ID && c.Name != "gone.example.org" || c.Kind != db.KindVM {
				t.Errorf("ann sees a change of %s %s", c.Kind, c.Name)
			}
		}
		if got := must(s.SearchNodes(t.Context(), db.NodeFilter{Permitted: ann}))(t); len(got.Items) != 0 {
			t.Errorf("ann sees %d nodes", len(got.Items))
		}
		if got := must(s.SearchNodes(t.Context(), db.NodeFilter{Permitted: bob}))(t); len(got.Items) != 1 {
			t.Errorf("bob sees %d nodes of his cluster", len(got.Items))
		}
		if _, err := s.Node(t.Context(), db.ObjectRef{Name: "node1", Permitted: ann}); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("ann looks up a node: %v", err)
		}
		if _, err := s.PermittedCluster(t.Context(), "alpha", bob); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("bob looks up alpha: %v", err)
		}
		if got := must(s.PermittedClusters(t.Context(), bob))(t); len(got) != 1 || got[0].Name != "beta" {
			t.Errorf("bob's clusters: %v", got)
		}
	})
}

func TestSumVMs(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		x := newSite(t, s)
		if got := must(s.SumVMs(t.Context(), db.VMFilter{}, db.SumTotal))(t); len(got) != 0 {
			t.Errorf("the sum of nothing: %v", got)
		}
		x.seed()
		for by, want := range map[db.SumBy][]db.Sum{
			db.SumTotal:     {{"", 6, 10, 24576, 5*10240 + 1<<20}},
			db.SumByCluster: {{"alpha", 4, 6, 16384, 3*10240 + 1<<20}, {"beta", 2, 4, 8192, 20480}},
			db.SumByOS:      {{"centos", 1, 0, 0, 10240}, {"debian", 5, 10, 24576, 4*10240 + 1<<20}},
			db.SumByNode:    {{"node1", 5, 10, 24576, 4*10240 + 1<<20}, {"node2", 1, 0, 0, 10240}},
			db.SumByStatus:  {{"ADMIN_down", 1, 2, 8192, 10240}, {"ERROR_nodedown", 1, 0, 0, 10240}, {"running", 4, 8, 16384, 3*10240 + 1<<20}},
			db.SumByTag: {
				{`a'b\c:d`, 1, 2, 4096, 10240},
				{"env:prod", 3, 6, 12288, 20480 + 1<<20},
				{"env:test", 1, 2, 8192, 10240},
				{"owner%", 1, 2, 4096, 10240},
				{"owner:team-7", 3, 6, 12288, 20480 + 1<<20},
				{"owner:team-8", 1, 2, 8192, 10240},
			},
		} {
			if diff := cmp.Diff(want, must(s.SumVMs(t.Context(), db.VMFilter{}, by))(t)); diff != "" {
				t.Errorf("by %q (-want +got):\n%s", by, diff)
			}
		}
		filtered := must(s.SumVMs(t.Context(), db.VMFilter{Statuses: []string{"down", "error"}}, db.SumByCluster))(t)
		if diff := cmp.Diff([]db.Sum{{"alpha", 2, 2, 8192, 20480}}, filtered); diff != "" {
			t.Errorf("filtered (-want +got):\n%s", diff)
		}
		if _, err := s.SumVMs(t.Context(), db.VMFilter{}, "name"); !errors.Is(err, db.ErrBadFilter) {
			t.Errorf("by name: %v", err)
		}
	})
}

func TestChangesAfter(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		x := newSite(t, s)
		x.seed()
		began := x.now.Add(time.Minute)
		x.now = x.now.Add(time.Hour)
		x.answer(x.beta, db.KindVM, searched(6, "renamed.example.org"), searched(7, "mail.example.org"))
		x.answer(x.beta, db.KindNode, &db.Node{Object: db.Object{UUID: "n1", Name: "node1"}})
		all := must(s.Changes(t.Context(), 0, 1000))(t)
		read := func(f db.ChangeFilter) string {
			var ops []string
			for _, c := range must(s.ChangesAfter(t.Context(), f))(t) {
				ops = append(ops, string(c.Op)+" "+c.Cluster+"/"+strings.TrimSuffix(c.Name, ".example.org"))
			}
			return strings.Join(ops, ", ")
		}
		const created = "created alpha/web1, created alpha/web2, created alpha/db_1, created alpha/db%x, created alpha/gone, "
		for _, tt := range []struct {
			name   string
			filter db.ChangeFilter
			want   string
		}{
			{"all", db.ChangeFilter{}, created + "created beta/web1, created beta/mail, removed alpha/gone, renamed beta/renamed, created beta/node1"},
			{"after", db.ChangeFilter{After: all[len(all)-3].ID}, "renamed beta/renamed, created beta/node1"},
			{"limit", db.ChangeFilter{Limit: 2}, "created alpha/web1, created alpha/web2"},
			{"newest", db.ChangeFilter{Limit: 2, Newest: true}, "renamed beta/renamed, created beta/node1"},
			{"kind", db.ChangeFilter{Kind: db.KindNode}, "created beta/node1"},
			{"cluster", db.ChangeFilter{Cluster: "beta", Kind: db.KindVM}, "created beta/web1, created beta/mail, renamed beta/renamed"},
			{"since", db.ChangeFilter{Since: &began}, "renamed beta/renamed, created beta/node1"},
			{"under all names", db.ChangeFilter{Object: "renamed.example.org"}, "created beta/web1, renamed beta/renamed"},
			{"uuid", db.ChangeFilter{Object: "00000000-0000-4000-8000-000000000005"}, "created alpha/gone, removed alpha/gone"},
			{"nothing of that name", db.ChangeFilter{Object: "nothing"}, ""},
		} {
			if diff := cmp.Diff(tt.want, read(tt.filter)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			}
		}
		// An entry outlives its row, and is found by what it says itself.
		if _, err := s.Writer().ExecContext(t.Context(), "DELETE FROM virtual_machines WHERE name = 'gone.example.org'"); err != nil {
			t.Fatal(err)
		}
		if got := read(db.ChangeFilter{Object: "gone.example.org"}); got != "created alpha/gone, removed alpha/gone" {
			t.Errorf("of a purged VM: %s", got)
		}
		for _, f := range []db.ChangeFilter{{Limit: 1001}, {Limit: -1}, {After: -1}, {Kind: "disk"}, {ObjectID: 1}} {
			if _, err := s.ChangesAfter(t.Context(), f); !errors.Is(err, db.ErrBadFilter) {
				t.Errorf("%+v: %v", f, err)
			}
		}
	})
}
