package db_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

const benchVMs = 10_000

// benchStore is a database to measure, opened anew for each benchmark, with a cluster.
type benchStore struct {
	name string
	open func(testing.TB) *db.Store
}

func benchStores() []benchStore {
	return []benchStore{{"sqlite", dbtest.SQLite}, {"postgres", dbtest.Postgres}}
}

func (c benchStore) new(b *testing.B) (s *db.Store, clusterID int64) {
	b.Helper()
	s = c.open(b)
	return s, oneCluster(b, s)
}

// empty makes the store as it was before the first snapshot.
func empty(b *testing.B, s *db.Store) {
	b.Helper()
	for _, table := range []string{"virtual_machines", "changes", "freshness"} {
		statement := "TRUNCATE " + table + " CASCADE"
		if s.Dialect() == "sqlite" {
			statement = "DELETE FROM " + table
		}
		if _, err := s.Writer().ExecContext(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
}

// gathered is a snapshot whose items are made before the clock starts. The store changes the rows' own columns only, in
// the same way each time.
func gathered(snap db.Snapshot) db.Snapshot {
	var items []db.Item
	for item := range snap.Changed {
		items = append(items, item)
	}
	snap.Changed = func(yield func(db.Item) bool) {
		for _, item := range items {
			if !yield(item) {
				return
			}
		}
	}
	return snap
}

// BenchmarkApply_Cold loads 10,000 VMs of 3 KB into an empty, indexed table.
func BenchmarkApply_Cold(b *testing.B) {
	for _, c := range benchStores() {
		b.Run(c.name, func(b *testing.B) {
			s, id := c.new(b)
			snap := gathered(snapshot(id, 0, benchVMs, 0))
			for b.Loop() {
				b.StopTimer()
				empty(b, s)
				b.StartTimer()
				apply(b, s, snap)
			}
		})
	}
}

// BenchmarkPSQLCopy is the floor of BenchmarkApply_Cold: the same bytes into the same columns, by psql, from a file.
func BenchmarkPSQLCopy(b *testing.B) {
	url := dbtest.PostgresURL(b)
	s := openURL(b, url)
	if err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(b.TempDir(), "rows")
	columns := writeRows(b, file, oneCluster(b, s))
	for b.Loop() {
		b.StopTimer()
		empty(b, s)
		b.StartTimer()
		copyRows := `\copy virtual_machines (` + strings.Join(columns, ", ") + `) from '` + file + `'`
		out, err := exec.CommandContext(b.Context(), "psql", "-X", "-q", "-c", copyRows, url).CombinedOutput()
		if err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
}

// writeRows writes the VMs as COPY takes them and returns the columns.
func writeRows(b *testing.B, file string, clusterID int64) (columns []string) {
	b.Helper()
	var text []byte
	for i := range benchVMs {
		vm, ok := bigVM(i, 0).Row.(*db.VM)
		if !ok {
			b.Fatal("no VM")
		}
		vm.ClusterID, vm.ObservedAt = clusterID, time.Now()
		vm.Digest = make([]byte, 16)
		var line []byte
		columns, line = db.CopyLine(vm)
		text = append(text, line...)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	return columns
}

// BenchmarkApply_OnePercent applies 100 changed VMs of 10,000.
func BenchmarkApply_OnePercent(b *testing.B) {
	for _, c := range benchStores() {
		b.Run(c.name, func(b *testing.B) {
			s, id := c.new(b)
			apply(b, s, snapshot(id, 0, benchVMs, 0))
			version := 0
			for b.Loop() {
				b.StopTimer()
				version++
				snap := gathered(snapshot(id, int64(version), benchVMs/100, version))
				b.StartTimer()
				if out := apply(b, s, snap); out.Updated != benchVMs/100 {
					b.Fatalf("%+v", out)
				}
			}
		})
	}
}

// BenchmarkApply_All applies 10,000 changed VMs.
func BenchmarkApply_All(b *testing.B) {
	for _, c := range benchStores() {
		b.Run(c.name, func(b *testing.B) {
			s, id := c.new(b)
			apply(b, s, snapshot(id, 0, benchVMs, 0))
			version := 0
			for b.Loop() {
				b.StopTimer()
				version++
				snap := gathered(snapshot(id, int64(version), benchVMs, version))
				b.StartTimer()
				apply(b, s, snap)
			}
		})
	}
}

// BenchmarkTouchFresh stamps three unchanged kinds.
func BenchmarkTouchFresh(b *testing.B) {
	for _, c := range benchStores() {
		b.Run(c.name, func(b *testing.B) {
			s, id := c.new(b)
			for b.Loop() {
				now := time.Now()
				touches := []db.Touch{{Kind: db.KindCluster, StartedAt: now}, {Kind: db.KindVM, StartedAt: now}, {Kind: db.KindNode, StartedAt: now}}
				if err := s.TouchFresh(b.Context(), id, nil, touches); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFingerprints reads what 10,000 VMs are compared with after a start.
func BenchmarkFingerprints(b *testing.B) {
	for _, c := range benchStores() {
		b.Run(c.name, func(b *testing.B) {
			s, id := c.new(b)
			apply(b, s, snapshot(id, 0, benchVMs, 0))
			for b.Loop() {
				must(s.Fingerprints(b.Context(), id, db.KindVM))(b)
			}
		})
	}
}
