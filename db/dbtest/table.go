package dbtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ganeticache/db"
)

// same ends nothing; it reports a difference.
func same(tb testing.TB, what string, want, got any) {
	tb.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// counts is an Outcome without its lists.
type counts struct {
	Created, Updated, Renamed, Removed, Restored, Quarantined int
}

func countsOf(o db.Outcome) counts {
	return counts{o.Created, o.Updated, o.Renamed, o.Removed, o.Restored, o.Quarantined}
}

// line is a row of virtual_machines as the tests look at it.
type line struct {
	ID      int64      `db:"id"`
	UUID    string     `db:"uuid"`
	Name    string     `db:"name"`
	Status  string     `db:"status"`
	Node    string     `db:"primary_node"`
	Seen    time.Time  `db:"observed_at"`
	Deleted *time.Time `db:"deleted_at"`
}

// vms returns the cluster's VMs, tombstones included, by uuid.
func (f *fixture) vms() map[string]line {
	f.Helper()
	return f.vmsOf(f.cluster.ID)
}

func (f *fixture) vmsOf(clusterID int64) map[string]line {
	f.Helper()
	var rows []line
	err := f.s.DB().SelectContext(f.ctx(), &rows, fmt.Sprintf(
		"SELECT id, uuid, name, status, primary_node, observed_at, deleted_at FROM virtual_machines WHERE cluster_id = %d", clusterID))
	if err != nil {
		f.Fatal(err)
	}
	lines := make(map[string]line, len(rows))
	for _, r := range rows {
		r.Seen = r.Seen.UTC()
		lines[r.UUID] = r
	}
	return lines
}

// live returns the names of the VMs that are not tombstones, by uuid.
func (f *fixture) live() map[string]string {
	f.Helper()
	names := make(map[string]string)
	for uuid, l := range f.vms() {
		if l.Deleted == nil {
			names[uuid] = l.Name
		}
	}
	return names
}

// ops returns the changes after a cursor as "op name", and the new cursor.
func (f *fixture) ops(after int64) ([]string, int64) {
	f.Helper()
	ops := []string{}
	for _, c := range must(f.s.Changes(f.ctx(), after, 100_000))(f) {
		ops = append(ops, string(c.Op)+" "+c.Name)
		after = c.ID
	}
	return ops, after
}

// quarantine returns the reasons in quarantine, by raw item.
func (f *fixture) quarantine() map[string]string {
	f.Helper()
	var rows []struct {
		Raw    string `db:"raw"`
		Reason string `db:"reason"`
	}
	if err := f.s.DB().SelectContext(f.ctx(), &rows, "SELECT raw, reason FROM quarantine"); err != nil {
		f.Fatal(err)
	}
	reasons := make(map[string]string)
	for _, r := range rows {
		reasons[r.Raw] = r.Reason
	}
	return reasons
}

// number runs a query that gives one number.
func (f *fixture) number(query string) int64 {
	f.Helper()
	var n int64
	if err := f.s.DB().GetContext(f.ctx(), &n, query); err != nil {
		f.Fatal(err)
	}
	return n
}

// info returns a VM's stored object.
func (f *fixture) info(uuid string) string {
	f.Helper()
	var j db.JSON
	if err := f.s.DB().GetContext(f.ctx(), &j, "SELECT info FROM virtual_machines WHERE uuid = '"+uuid+"'"); err != nil {
		f.Fatal(err)
	}
	return string(j)
}
