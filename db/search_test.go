package db_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// site is a store with two clusters, alpha and beta, whose objects the searches look for.
type site struct {
	*testing.T
	s           *db.Store
	alpha, beta db.Cluster
	now         time.Time
}

func newSite(t *testing.T, s *db.Store) *site {
	t.Helper()
	clusters := must(s.SyncClusters(t.Context(), []db.ClusterSettings{
		{Name: "alpha", RAPIHost: "a.example.org", RAPIPort: 5080, RAPIUsername: "gwm", CredentialsHash: "h-a"},
		{Name: "beta", RAPIHost: "b.example.org", RAPIPort: 5081, CredentialsHash: "h-b"},
	}))(t)
	return &site{T: t, s: s, alpha: clusters[0], beta: clusters[1], now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

// answer applies a complete answer: these rows and no others.
func (x *site) answer(cluster db.Cluster, k db.Kind, rows ...db.Row) {
	x.Helper()
	record := must(x.s.Fingerprints(x.Context(), cluster.ID, k))(x)
	missing := make(map[string]bool)
	for _, p := range record.Items {
		missing[p.Key] = true
	}
	var items []db.Item
	for _, row := range rows {
		base := row.Base()
		*base = db.Object{UUID: base.UUID, Name: base.Name} // the store has filled in the rest the last time
		raw := must(json.Marshal(row))(x)
		base.Info = raw
		sum := sha256.Sum256(raw)
		items = append(items, db.Item{Row: row, Key: base.UUID, Name: base.Name, Digest: [16]byte(sum[:16]), Raw: raw})
		delete(missing, base.UUID)
	}
	snap := db.Snapshot{ClusterID: cluster.ID, Kind: k, StartedAt: x.now, Objects: len(items), Generation: record.Generation, Changed: slices.Values(items)}
	for key := range missing {
		snap.Missing = append(snap.Missing, key)
	}
	must(x.s.Apply(x.Context(), snap))(x)
}

// searched is a VM of the searches' tests.
func searched(n int, name string, edit ...func(*db.VM)) *db.VM {
	v := &db.VM{
		Status: "running", AdminState: "up", PrimaryNode: "node1", SecondaryNodes: db.List{"node2"}, OS: "debian", DiskTemplate: "drbd",
		VCPUs: new(int64(2)), MemoryMiB: new(int64(4096)), DiskMiB: new(int64(10240)), NICIPs: db.List{fmt.Sprintf("192.0.2.%d", n)},
		NICMACs: db.List{fmt.Sprintf("aa:00:00:00:00:%02x", n)}, NICNetworks: db.List{"net1"}, Tags: db.List{"env:prod", "owner:team-7"},
	}
	v.UUID, v.Name = fmt.Sprintf("00000000-0000-4000-8000-%012d", n), name
	for _, e := range edit {
		e(v)
	}
	return v
}

// seed fills alpha with five VMs, of which gone is removed an hour later, and beta with two.
func (x *site) seed() {
	x.Helper()
	vms := []db.Row{
		searched(1, "web1.example.org"),
		searched(2, "web2.example.org", func(v *db.VM) {
			v.Status, v.MemoryMiB, v.Tags = "ADMIN_down", new(int64(8192)), db.List{"env:test", "owner:team-8"}
		}),
		searched(3, "db_1.example.org", func(v *db.VM) {
			v.Status, v.PrimaryNode, v.SecondaryNodes, v.OS, v.DiskTemplate = "ERROR_nodedown", "node2", nil, "centos", "plain"
			v.VCPUs, v.MemoryMiB, v.Tags, v.NICNetworks = nil, nil, nil, db.List{"", "net2"}
			v.NICIPs = db.List{"", "198.51.100.1"}
		}),
		searched(4, "db%x.example.org", func(v *db.VM) { v.DiskMiB, v.NICNetworks = new(int64(1<<20)), db.List{"net1", "net1"} }),
		searched(5, "gone.example.org"),
	}
	x.answer(x.alpha, db.KindVM, vms...)
	x.answer(x.beta, db.KindVM, searched(6, "web1.example.org", func(v *db.VM) { v.Tags = db.List{`a'b\c:d`, "owner%"} }), searched(7, "mail.example.org"))
	x.now = x.now.Add(time.Hour)
	x.answer(x.alpha, db.KindVM, vms[:4]...)
}

// found gives the cluster and the number of each VM found, sorted.
func (x *site) found(f db.VMFilter) string {
	x.Helper()
	page, err := x.s.SearchVMs(x.Context(), f)
	if err != nil {
		return err.Error()
	}
	var ids []string
	for _, v := range page.Items {
		ids = append(ids, strings.TrimLeft(v.UUID[24:], "0"))
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

func TestSearchVMs_Filters(t *testing.T) {
	t.Parallel()
	early, late := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
	above := func(n int64) db.Range { return db.Range{Min: &n} }
	between := func(low, high int64) db.Range { return db.Range{Min: &low, Max: &high} }
	tests := []struct {
		name   string
		filter db.VMFilter
		want   string
	}{
		{"all live", db.VMFilter{}, "1 2 3 4 6 7"},
		{"a cluster", db.VMFilter{Clusters: []string{"beta"}}, "6 7"},
		{"clusters", db.VMFilter{Clusters: []string{"beta", "alpha"}}, "1 2 3 4 6 7"},
		{"an unknown cluster", db.VMFilter{Clusters: []string{"gamma"}}, ""},
		{"status", db.VMFilter{Statuses: []string{"ADMIN_down"}}, "2"},
		{"running", db.VMFilter{Statuses: []string{"running"}}, "1 4 6 7"},
		{"down", db.VMFilter{Statuses: []string{"down"}}, "2"},
		{"error or down", db.VMFilter{Statuses: []string{"error", "down"}}, "2 3"},
		{"name", db.VMFilter{Name: "web1.example.org"}, "1 6"},
		{"part of a name", db.VMFilter{Name: "web1"}, ""},
		{"prefix", db.VMFilter{Name: "web*"}, "1 2 6"},
		{"suffix", db.VMFilter{Name: "*2.example.org"}, "2"},
		{"one character", db.VMFilter{Name: "web?.example.org"}, "1 2 6"},
		{"every name", db.VMFilter{Name: "**"}, "1 2 3 4 6 7"},
		{"_ is no wildcard", db.VMFilter{Name: "db_*"}, "3"},
		{"% is no wildcard", db.VMFilter{Name: "?b%*"}, "4"},
		{"[ is no wildcard", db.VMFilter{Name: "[dw]*"}, ""},
		{`\ is no wildcard`, db.VMFilter{Name: `web\*`}, ""},
		{"case counts", db.VMFilter{Name: "WEB*"}, ""},
		{"node", db.VMFilter{Node: "node2"}, "1 2 3 4 6 7"},
		{"primary node", db.VMFilter{PrimaryNode: "node2"}, "3"},
		{"secondary node", db.VMFilter{SecondaryNode: "node2"}, "1 2 4 6 7"},
		{"os", db.VMFilter{OS: "centos"}, "3"},
		{"disk template", db.VMFilter{DiskTemplate: "plain"}, "3"},
		{"tag", db.VMFilter{Tags: []string{"env:prod"}}, "1 4 7"},
		{"tags", db.VMFilter{Tags: []string{"env:test", "owner:team-8"}}, "2"},
		{"tags that are never together", db.VMFilter{Tags: []string{"env:test", "owner:team-7"}}, ""},
		{"tag prefix", db.VMFilter{TagPrefixes: []string{"owner:"}}, "1 2 4 7"},
		{"tag prefix and tag", db.VMFilter{TagPrefixes: []string{"env"}, Tags: []string{"owner:team-8"}}, "2"},
		{"tag prefix with quotes", db.VMFilter{TagPrefixes: []string{`a'b\c`}}, "6"},
		{"tag with quotes", db.VMFilter{Tags: []string{`a'b\c:d`}}, "6"},
		{"% is no wildcard in tags", db.VMFilter{TagPrefixes: []string{"%"}}, ""},
		{"ip", db.VMFilter{IP: "192.0.2.2"}, "2"},
		{"ip of the second NIC", db.VMFilter{IP: "198.51.100.1"}, "3"},
		{"mac in capitals", db.VMFilter{MAC: "AA:00:00:00:00:04"}, "4"},
		{"network", db.VMFilter{Network: "net2"}, "3"},
		{"network of two NICs", db.VMFilter{Network: "net1", Disk: above(1 << 20)}, "4"},
		{"memory", db.VMFilter{Memory: above(8192)}, "2"},
		{"memory range", db.VMFilter{Memory: between(4096, 8191)}, "1 4 6 7"},
		{"vcpus", db.VMFilter{VCPUs: between(2, 2)}, "1 2 4 6 7"},
		{"disk", db.VMFilter{Disk: between(1, 10240)}, "1 2 3 6 7"},
		{"changed since", db.VMFilter{ChangedSince: &early, Clusters: []string{"beta"}}, "6 7"},
		{"changed later", db.VMFilter{ChangedSince: &late}, ""},
		{"changed later, tombstones", db.VMFilter{ChangedSince: &late, Tombstones: db.WithTombstones}, "5"},
		{"tombstones", db.VMFilter{Tombstones: db.TombstonesOnly}, "5"},
		{"with tombstones", db.VMFilter{Tombstones: db.WithTombstones}, "1 2 3 4 5 6 7"},
		{"several", db.VMFilter{Clusters: []string{"alpha"}, Statuses: []string{"running"}, Tags: []string{"env:prod"}, Memory: above(1)}, "1 4"},
		{"NUL and broken UTF-8", db.VMFilter{Name: "a\x00b\xff*", OS: "\x00", Tags: []string{"\xff"}, TagPrefixes: []string{"\x00"}}, ""},
		{"SQL", db.VMFilter{Name: "'; DROP TABLE clusters; --"}, ""},
	}
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		x := newSite(t, s)
		x.seed()
		for _, tt := range tests {
			if got := x.found(tt.filter); got != tt.want {
				t.Errorf("%s: found %q, want %q", tt.name, got, tt.want)
			}
		}
	})
}

func cursorOf(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// A cursor that nobody was given, but that could have been, is a place in the order like any other.
func TestSearchVMs_OddCursors(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		for sort, text := range map[string]string{
			"ctime": `{"s":"ctime","v":"0000-01-01T00:00:00Z","i":-5}`, "mtime": `{"s":"mtime","v":"9999-12-31T23:59:59Z","i":0}`,
			"name": `{"s":"name","v":"a\u0000\ud800'","i":9223372036854775807}`, "oper_state": `{"s":"oper_state","v":true,"i":1}`,
		} {
			if _, err := s.SearchVMs(t.Context(), db.VMFilter{Sort: sort, After: cursorOf(text)}); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
	})
}

func TestSearchVMs_BadFilters(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		filter db.VMFilter
		want   string
	}{
		{"unknown column", db.VMFilter{Sort: "name; DROP TABLE clusters"}, "sort"},
		{"whole object", db.VMFilter{Sort: "info"}, "sort"},
		{"too many", db.VMFilter{Limit: db.MaxLimit + 1}, "limit"},
		{"negative limit", db.VMFilter{Limit: -1}, "limit"},
		{"no cursor", db.VMFilter{After: "???"}, "after"},
		{"cursor of nothing", db.VMFilter{After: "e30"}, "after"},
		{"cursor with another type", db.VMFilter{After: cursorOf(`{"s":"name","v":5,"i":1}`)}, "after"},
		{"cursor with NULL for a name", db.VMFilter{After: cursorOf(`{"s":"name","v":null,"i":1}`)}, "after"},
		{"cursor with a huge number", db.VMFilter{Sort: "vcpus", After: cursorOf(`{"s":"vcpus","v":1e99,"i":1}`)}, "after"},
		{"cursor without a time", db.VMFilter{Sort: "ctime", After: cursorOf(`{"s":"ctime","v":"now()","i":1}`)}, "after"},
		{"empty tag", db.VMFilter{Tags: []string{""}}, "tag"},
		{"empty prefix", db.VMFilter{TagPrefixes: []string{""}}, "tag_prefix"},
		{"long prefix", db.VMFilter{TagPrefixes: []string{strings.Repeat("x", 3000)}}, "tag_prefix"},
		{"many tags", db.VMFilter{Tags: make([]string, 1001)}, "tag"},
		{"tombstones", db.VMFilter{Tombstones: 7}, "deleted"},
	}
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		for _, tt := range tests {
			_, err := s.SearchVMs(t.Context(), tt.filter)
			if !errors.Is(err, db.ErrBadFilter) || !strings.Contains(err.Error(), tt.want+":") {
				t.Errorf("%s: %v, want a bad filter that names %s", tt.name, err, tt.want)
			}
		}
		x := newSite(t, s)
		x.seed()
		page := must(s.SearchVMs(t.Context(), db.VMFilter{Limit: 1}))(t)
		_, err := s.SearchVMs(t.Context(), db.VMFilter{Sort: "status", After: page.Next})
		if !errors.Is(err, db.ErrBadFilter) {
			t.Errorf("a cursor of another order: %v", err)
		}
	})
}

// Every column sorts, both ways, in pages of any size, with unknown values before all others.
func TestSearchVMs_Pages(t *testing.T) {
	t.Parallel()
	columns := []string{
		"id", "cluster", "cluster_id", "uuid", "name", "status", "admin_state", "oper_state", "primary_node", "secondary_nodes", "os",
		"disk_template", "vcpus", "memory_mib", "oper_memory_mib", "disk_mib", "nic_ips", "nic_macs", "nic_networks", "network_port",
		"tags", "serial_no", "ctime", "mtime", "observed_at", "deleted_at", "cached_at", "rapi_host",
	}
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		x := newSite(t, s)
		var rows []db.Row
		for i := range 23 {
			rows = append(rows, searched(i, fmt.Sprintf("vm%02d", (i*7)%23), func(v *db.VM) {
				v.Status = []string{"running", "ERROR_down"}[i%2]
				if i%3 == 0 {
					v.VCPUs, v.MemoryMiB, v.OperState, v.CTime, v.Tags, v.NICIPs = nil, nil, nil, nil, nil, db.List{""}
				} else {
					v.VCPUs, v.OperState = new(int64(i%4)), new(i%5 == 0)
					v.CTime = new(x.now.Add(time.Duration(i%6) * time.Millisecond))
				}
			}))
		}
		x.answer(x.alpha, db.KindVM, rows...)
		x.answer(x.beta, db.KindVM, searched(90, "vm03"), searched(91, "vm04"))
		x.now = x.now.Add(time.Hour)
		x.answer(x.alpha, db.KindVM, rows[:20]...)
		for _, column := range columns {
			for _, descending := range []bool{false, true} {
				f := db.VMFilter{Sort: column, Descending: descending, Tombstones: db.WithTombstones}
				whole := x.walk(f, 100)
				if len(whole) != 25 {
					t.Fatalf("%s: %d VMs", column, len(whole))
				}
				for _, size := range []int{1, 7, 25} {
					if diff := cmp.Diff(whole, x.walk(f, size)); diff != "" {
						t.Errorf("%s, descending %v, pages of %d (-whole +pages):\n%s", column, descending, size, diff)
					}
				}
				f.Descending = !descending
				back := x.walk(f, 4)
				slices.Reverse(back)
				if diff := cmp.Diff(whole, back); diff != "" {
					t.Errorf("%s is not the same backwards (-forth +back):\n%s", column, diff)
				}
			}
		}
		if first := x.walk(db.VMFilter{Sort: "vcpus", Clusters: []string{"alpha"}}, 5)[0]; (first-1)%3 != 0 {
			t.Errorf("an unknown number of CPUs is not first: %d", first)
		}
	})
}

// walk reads all pages and returns the row ids in their order.
func (x *site) walk(f db.VMFilter, size int) []int64 {
	x.Helper()
	var ids []int64
	for f.Limit = size; ; {
		page := must(x.s.SearchVMs(x.Context(), f))(x)
		for _, v := range page.Items {
			ids = append(ids, v.ID)
		}
		if f.After = page.Next; f.After == "" {
			return ids
		}
		if len(page.Items) != size {
			x.Fatalf("a page of %d has a next one", len(page.Items))
		}
	}
}

// While somebody turns the pages, a VM on a page already seen goes, one before it comes, and a later one changes.
func TestSearchVMs_PagesOfChangingRows(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		x := newSite(t, s)
		var rows []db.Row
		for i := range 9 {
			rows = append(rows, searched(i, fmt.Sprintf("vm%d", i+1)))
		}
		x.answer(x.alpha, db.KindVM, rows...)
		first := must(s.SearchVMs(t.Context(), db.VMFilter{Limit: 3}))(t)
		x.now = x.now.Add(time.Minute)
		x.answer(x.alpha, db.KindVM, append(rows[1:2:2], append(rows[3:], searched(50, "vm0"), searched(51, "vm35"))...)...)
		var names []string
		for _, v := range first.Items {
			names = append(names, v.Name)
		}
		for f := (db.VMFilter{Limit: 3, After: first.Next}); ; {
			page := must(s.SearchVMs(t.Context(), f))(t)
			for _, v := range page.Items {
				names = append(names, v.Name)
			}
			if f.After = page.Next; f.After == "" {
				break
			}
		}
		want := []string{"vm1", "vm2", "vm3", "vm35", "vm4", "vm5", "vm6", "vm7", "vm8", "vm9"}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("the pages together (-want +got):\n%s", diff)
		}
	})
}

// A row of the search is a row of the view, and carries what leads to its cluster's client.
func TestSearchVMs_Row(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		x := newSite(t, s)
		x.seed()
		page := must(s.SearchVMs(t.Context(), db.VMFilter{Name: "web1.example.org", Clusters: []string{"alpha"}}))(t)
		v := page.Items[0]
		if v.Cluster != "alpha" || v.RAPIHost != "a.example.org" || v.RAPIPort != 5080 || v.RAPIUsername != "gwm" || v.CredentialsHash != "h-a" {
			t.Errorf("the cluster's columns: %+v", v)
		}
		if v.Info != nil {
			t.Error("a list has info that was not asked for")
		}
		if v.CachedAt == nil || !v.CachedAt.Equal(x.now) {
			t.Errorf("cached at %v, want the newest answer's %v", v.CachedAt, x.now)
		}
		text := string(must(json.Marshal(v))(t))
		for _, want := range []string{`"name":"web1.example.org"`, `"nic_ips":["192.0.2.1"]`, `"oper_state":null`, `"nic_links":[]`, `"cluster":"alpha"`} {
			if !strings.Contains(text, want) {
				t.Errorf("no %s in %s", want, text)
			}
		}
		if strings.Contains(text, "h-a") || strings.Contains(text, "gwm") {
			t.Errorf("credentials in %s", text)
		}
		whole := must(s.SearchVMs(t.Context(), db.VMFilter{Name: "web1.example.org", WithInfo: true}))(t)
		if !strings.Contains(string(whole.Items[0].Info), "web1.example.org") {
			t.Errorf("info is %s", whole.Items[0].Info)
		}
	})
}
