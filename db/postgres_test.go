package db_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/lib/pq"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// snapshot has n VMs with some 3 KB of info each; those of another version differ in a column.
func snapshot(clusterID, generation int64, n, version int) db.Snapshot {
	var missing []string // the changed ones, as far as they may be on record
	if generation > 0 {
		for i := range n {
			missing = append(missing, bigVMKey(i))
		}
	}
	return db.Snapshot{
		Missing:   missing,
		ClusterID: clusterID, Kind: db.KindVM, StartedAt: time.Now(), Objects: n, Generation: generation,
		Changed: func(yield func(db.Item) bool) {
			for i := range n {
				if !yield(bigVM(i, version)) {
					return
				}
			}
		},
	}
}

func bigVMKey(i int) string { return fmt.Sprintf("%08x-5e52-4bd3-96ed-a296743a47d7", i) }

func bigVM(i, version int) db.Item {
	one, mem, at := int64(version), int64(2048), time.Unix(1_700_000_000, 0)
	up := true
	v := &db.VM{
		Status: "running", AdminState: "up", OperState: &up, PrimaryNode: fmt.Sprintf("node%d.example.org", i%40), OS: "debootstrap+bookworm",
		DiskTemplate: "drbd", SecondaryNodes: db.List{fmt.Sprintf("node%d.example.org", (i+1)%40)}, VCPUs: &one, MemoryMiB: &mem,
		OperMemoryMiB: &mem, DiskMiB: &mem, NICIPs: db.List{fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)},
		NICMACs: db.List{fmt.Sprintf("aa:00:00:%02x:%02x:%02x", i>>16, i>>8&255, i&255)}, NICLinks: db.List{"br0"}, NICNetworks: db.List{""},
		Tags: db.List{"env:prod", fmt.Sprintf("owner:team%d", i%50)}, SerialNo: &one, CTime: &at, MTime: &at,
	}
	v.UUID, v.Name = bigVMKey(i), fmt.Sprintf("inst%05d.example.org", i)
	v.Info = bigInfo(v, version)
	var digest [16]byte
	binary.BigEndian.PutUint64(digest[:], uint64(i))
	binary.BigEndian.PutUint64(digest[8:], uint64(version))
	return db.Item{Row: v, Key: v.UUID, Name: v.Name, Digest: digest, Raw: v.Info}
}

// bigInfo is as long and as repetitive as a KVM instance's.
func bigInfo(v *db.VM, version int) db.JSON {
	var b strings.Builder
	fmt.Fprintf(&b, `{"name": %q, "uuid": %q, "version": %d, "hvparams": {`, v.Name, v.UUID, version)
	for i := range 60 {
		fmt.Fprintf(&b, `"hv_parameter_%02d": %s, `, i, []string{"true", `"default"`, `""`, "30", `"/usr/bin/kvm -smbios \"x\""`}[i%5])
	}
	b.WriteString(`"acpi": true}, "custom": [`)
	for b.Len() < 3040 {
		fmt.Fprintf(&b, `"%x", `, b.Len()*7919)
	}
	b.WriteString("null]}")
	return db.JSON(b.String())
}

func oneCluster(tb testing.TB, s *db.Store) int64 {
	tb.Helper()
	return must(s.SyncClusters(tb.Context(), []db.ClusterSettings{{Name: "alpha", RAPIHost: "a.example.org", RAPIPort: 5080}}))(tb)[0].ID
}

func apply(tb testing.TB, s *db.Store, snap db.Snapshot) db.Outcome {
	tb.Helper()
	return must(s.Apply(tb.Context(), snap))(tb)
}

// written is what the server's statistics say of a table.
type written struct {
	Inserted int64 `db:"n_tup_ins"`
	Updated  int64 `db:"n_tup_upd"`
	Deleted  int64 `db:"n_tup_del"`
}

// statistics reads them once freshness, which every snapshot stamps, was updated as often as the test did. A session
// hands in its numbers at its end, so the caller closes its store first.
func statistics(t *testing.T, url string, stamps int64) written {
	t.Helper()
	s := openURL(t, url)
	const query = "SELECT n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE relname = $1"
	var fresh, vms written
	for fresh.Updated != stamps {
		if err := s.DB().GetContext(t.Context(), &fresh, query, "freshness"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.DB().ExecContext(t.Context(), "SELECT pg_sleep(0.01)"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DB().GetContext(t.Context(), &vms, query, "virtual_machines"); err != nil {
		t.Fatal(err)
	}
	return vms
}

// The server's own statistics say that an unchanged cluster of 10,000 VMs costs no write to virtual_machines.
func TestTouchFresh_WritesNoRows(t *testing.T) {
	t.Parallel()
	url := dbtest.PostgresURL(t)
	stamps := int64(0)
	step := func(name string, want written, do func(s *db.Store)) {
		t.Helper()
		s := must(db.Open(t.Context(), url, db.Options{}))(t)
		do(s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, statistics(t, url, stamps)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	var id int64
	step("first load", written{Inserted: 10_000}, func(s *db.Store) {
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		id = oneCluster(t, s)
		apply(t, s, snapshot(id, 0, 10_000, 0))
		stamps++
	})
	step("unchanged answers", written{Inserted: 10_000}, func(s *db.Store) {
		for range 3 {
			touch := []db.Touch{{Kind: db.KindVM, StartedAt: time.Now(), Objects: 10_000, Generation: 1}}
			if err := s.TouchFresh(t.Context(), id, nil, touch); err != nil {
				t.Fatal(err)
			}
			stamps++
		}
	})
	step("an equal snapshot", written{Inserted: 10_000}, func(s *db.Store) {
		if out := apply(t, s, snapshot(id, 1, 10_000, 0)); out.RowsWritten != 0 {
			t.Errorf("%d rows written", out.RowsWritten)
		}
		stamps++
	})
	step("100 changes", written{Inserted: 10_000, Updated: 100}, func(s *db.Store) {
		apply(t, s, snapshot(id, 1, 100, 1))
		stamps++
	})
}

func TestApply_Notifies(t *testing.T) {
	t.Parallel()
	url := dbtest.PostgresURL(t)
	s := openURL(t, url)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	listener := pq.NewListener(url, time.Second, time.Second, nil)
	defer listener.Close()
	if err := listener.Listen(db.Channel); err != nil {
		t.Fatal(err)
	}
	id := oneCluster(t, s)
	want := []string{}
	for version, n := range []int{3, 2500, 0} { // 2500 take several statements
		snap := snapshot(id, int64(version), n, version)
		snap.Explain = true
		if n == 0 { // nothing new: no notification
			snap.Generation = 2
		}
		out := apply(t, s, snap)
		if out.RowsWritten > 0 {
			last := must(s.Changes(t.Context(), 0, 10_000))(t)
			if diff := cmp.Diff(last[len(last)-n:], out.Changes, cmpopts.IgnoreFields(db.Change{}, "Cluster")); diff != "" {
				t.Errorf("the changes of version %d (-stored +told):\n%s", version, diff)
			}
			want = append(want, string(must(json.Marshal(map[string]any{"cluster_id": id, "kind": "vm", "change_id": last[len(last)-1].ID}))(t)))
		}
	}
	if err := s.TouchFresh(t.Context(), id, nil, []db.Touch{{Kind: db.KindVM, StartedAt: time.Now(), Generation: 2}}); err != nil {
		t.Fatal(err)
	}
	// A notification of our own comes after all others.
	if _, err := s.Writer().ExecContext(t.Context(), "SELECT pg_notify($1, '{}')", db.Channel); err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for n := range listener.Notify {
		if n.Extra == "{}" {
			break
		}
		var payload map[string]any
		if err := json.Unmarshal([]byte(n.Extra), &payload); err != nil {
			t.Fatal(err)
		}
		got = append(got, string(must(json.Marshal(payload))(t)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notifications (-want +got):\n%s", diff)
	}
}

// The server ends the connection in the middle of a snapshot.
func TestApply_ConnectionKilled(t *testing.T) {
	t.Parallel()
	s := dbtest.Postgres(t)
	id := oneCluster(t, s)
	for _, rows := range []int{0, 1} { // straight COPY, then by arrays
		generation := int64(rows)
		if rows > 0 {
			apply(t, s, snapshot(id, 0, rows, 0))
		}
		snap := snapshot(id, generation, 5000, 1)
		whole := snap.Changed
		snap.Changed = func(yield func(db.Item) bool) {
			n := 0
			for item := range whole {
				if n++; n == 3000 {
					killOthers(t, s)
				}
				if !yield(item) {
					return
				}
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if _, err := s.Apply(ctx, snap); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v", err)
		}
		cancel()
		if got := must(s.Fingerprints(t.Context(), id, db.KindVM))(t); len(got.Items) != rows || got.Generation != generation {
			t.Errorf("%d rows in generation %d, want %d in %d", len(got.Items), got.Generation, rows, generation)
		}
	}
	if out := apply(t, s, snapshot(id, 1, 5000, 1)); out.Created != 4999 || out.Updated != 1 {
		t.Errorf("afterwards: %+v", out)
	}
}

func killOthers(t *testing.T, s *db.Store) {
	t.Helper()
	_, err := s.DB().ExecContext(t.Context(),
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	if err != nil {
		t.Error(err)
	}
}

// What an operator's URL says of the driver's way to send values changes nothing: the arrays of rows need one of them.
func TestOpen_BinaryParameters(t *testing.T) {
	t.Parallel()
	s := openURL(t, dbtest.PostgresURL(t)+"&binary_parameters=no")
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := oneCluster(t, s)
	apply(t, s, snapshot(id, 0, 3, 0))
	if out := apply(t, s, snapshot(id, 1, 5, 1)); out.Updated != 3 || out.Created != 2 {
		t.Errorf("got %+v", out)
	}
}
