package dbtest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"ganeticache/db"
)

// fixture is a store with one cluster and a clock of its own, and plays the engine: it compares whole answers with the
// fingerprints on record.
type fixture struct {
	testing.TB
	s       *db.Store
	cluster db.Cluster
	now     time.Time
	// asked is the number of the last ticket.
	asked int64
}

func newFixture(tb testing.TB, s *db.Store) *fixture {
	tb.Helper()
	f := &fixture{TB: tb, s: s, now: time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)}
	f.cluster = f.sync(settings("alpha"))[0]
	return f
}

func settings(name string) db.ClusterSettings {
	return db.ClusterSettings{Name: name, RAPIHost: name + ".example.org", RAPIPort: 5080, RAPIUsername: "gwm", CredentialsHash: "h-" + name}
}

func (f *fixture) ctx() context.Context { return f.Context() }

func (f *fixture) sync(c ...db.ClusterSettings) []db.Cluster {
	f.Helper()
	return must(f.s.SyncClusters(f.ctx(), c))(f)
}

// must returns a function that gives the value or ends the test.
func must[T any](v T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

// tick is the time of the next snapshot, a minute after the last.
func (f *fixture) tick() time.Time {
	f.now = f.now.Add(time.Minute)
	return f.now
}

// ask is the ticket of a request that begins now, a minute after the last.
func (f *fixture) ask() db.Ticket {
	f.Helper()
	t := must(f.s.Ticket(f.ctx()))(f)
	t.At, f.asked = f.tick(), t.Number
	return t
}

// answer compares a complete answer with the record, as the engine does.
func (f *fixture) answer(k db.Kind, items ...db.Item) db.Snapshot {
	f.Helper()
	return f.answerOf(f.cluster.ID, k, items...)
}

func (f *fixture) answerOf(clusterID int64, k db.Kind, items ...db.Item) db.Snapshot {
	f.Helper()
	record := must(f.s.Fingerprints(f.ctx(), clusterID, k))(f)
	keyOf := make(map[[16]byte]string)
	for _, p := range record.Items {
		keyOf[p.Digest] = p.Key
	}
	seen := make(map[string]bool)
	var changed []db.Item
	for _, item := range items {
		if key, ok := keyOf[item.Digest]; ok {
			seen[key] = true
			continue
		}
		changed = append(changed, item)
	}
	var missing []string
	for _, p := range record.Items {
		if !seen[p.Key] {
			seen[p.Key] = true
			missing = append(missing, p.Key)
		}
	}
	asked := f.ask()
	return db.Snapshot{
		ClusterID: clusterID, Kind: k, StartedAt: asked.At, Ticket: asked.Number, Duration: 1500 * time.Millisecond, Bytes: 4711,
		Objects: len(items), NextDue: f.now.Add(time.Minute), Generation: record.Generation,
		Changed: sequence(changed), Missing: missing, Explain: true,
	}
}

// sequence yields copies, since the store may change the rows, and hands out Info and Raw in a buffer that the next item
// overwrites, as a real answer does.
func sequence(items []db.Item) func(func(db.Item) bool) {
	return func(yield func(db.Item) bool) {
		var buf []byte
		for _, item := range items {
			buf = append(buf[:0], item.Raw...)
			item.Raw = buf
			if item.Row != nil {
				item.Row = copyRow(item.Row)
				item.Row.Base().Info = db.JSON(buf)
			}
			if !yield(item) {
				return
			}
			for i := range buf {
				buf[i] = '#'
			}
		}
	}
}

func copyRow(row db.Row) db.Row {
	switch r := row.(type) {
	case *db.VM:
		c := *r
		return &c
	case *db.Node:
		c := *r
		return &c
	case *db.Group:
		c := *r
		return &c
	case *db.Network:
		c := *r
		return &c
	case *db.Job:
		c := *r
		return &c
	}
	panic(fmt.Sprintf("no copy of a %T", row))
}

// apply applies a complete answer and returns what it changed.
func (f *fixture) apply(k db.Kind, items ...db.Item) db.Outcome {
	f.Helper()
	return f.applySnapshot(f.answer(k, items...))
}

func (f *fixture) applySnapshot(snap db.Snapshot) db.Outcome {
	f.Helper()
	return must(f.s.Apply(f.ctx(), snap))(f)
}

func (f *fixture) freshness(k db.Kind) db.Freshness {
	f.Helper()
	return must(f.s.Freshness(f.ctx(), f.cluster.ID))(f)[k]
}

// vm is an item of an answer: a VM with some content, changed by edit.
func vm(uuid, name string, edit ...func(*db.VM)) db.Item {
	v := &db.VM{
		Status: "running", AdminState: "up", OperState: new(true), PrimaryNode: "node1", OS: "debian", DiskTemplate: "plain",
		VCPUs: new(int64(2)), MemoryMiB: new(int64(1024)), OperMemoryMiB: new(int64(1024)), DiskMiB: new(int64(10240)),
		NICIPs: db.List{""}, NICMACs: db.List{"aa:00:00:00:00:01"}, NICLinks: db.List{"br0"}, NICNetworks: db.List{""},
		Tags: db.List{"env:prod"}, SerialNo: new(int64(1)), CTime: new(time.Unix(1_700_000_000, 123_456_000).UTC()),
		MTime: new(time.Unix(1_700_000_100, 0).UTC()),
	}
	v.UUID, v.Name = uuid, name
	for _, e := range edit {
		e(v)
	}
	return item(v)
}

func node(uuid, name string, edit ...func(*db.Node)) db.Item {
	n := &db.Node{
		Role: "M", Offline: new(false), MasterCapable: new(true), GroupUUID: "g1", PrimaryIP: "10.0.0.1",
		MemoryTotalMiB: new(int64(65536)), MemoryFreeMiB: new(int64(1000)), DiskTotalMiB: new(int64(100000)),
		DiskFreeMiB: new(int64(50000)), CPUs: new(int64(16)), Tags: db.List{},
	}
	n.UUID, n.Name = uuid, name
	for _, e := range edit {
		e(n)
	}
	return item(n)
}

// item makes the object as sent from the row: every field, so that other content means another digest.
func item(row db.Row) db.Item {
	raw, err := json.Marshal(row)
	if err != nil {
		panic(err)
	}
	return withRaw(row, string(raw))
}

// withRaw is an item with the given bytes as sent.
func withRaw(row db.Row, raw string) db.Item {
	b := row.Base()
	return db.Item{Row: row, Key: b.UUID, Name: b.Name, Digest: digest(raw), Raw: []byte(raw)}
}

// broken is an item that cannot be stored.
func broken(key, raw string) db.Item {
	return db.Item{Key: key, Name: "name-" + key, Digest: digest(raw), Raw: []byte(raw), Reason: "name is a number"}
}

func digest(raw string) [16]byte {
	sum := sha256.Sum256([]byte(raw))
	return [16]byte(sum[:16])
}

// write runs a statement beside the store.
func (f *fixture) write(statement string) error {
	f.Helper()
	_, err := f.s.Writer().ExecContext(f.ctx(), statement)
	return err
}

func (f *fixture) mustWrite(statement string) {
	f.Helper()
	if err := f.write(statement); err != nil {
		f.Fatal(err)
	}
}
