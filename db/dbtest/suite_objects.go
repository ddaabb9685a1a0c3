package dbtest

import (
	"encoding/json"
	"strings"
	"time"

	"ganeticache/db"
)

func created(f *fixture) {
	out := f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	same(f, "outcome", counts{Created: 2}, countsOf(out))
	same(f, "rows written", int64(2), out.RowsWritten)
	same(f, "live", map[string]string{"u1": "web", "u2": "db"}, f.live())
	ops, _ := f.ops(0)
	same(f, "changes", []string{"created web", "created db"}, ops)
	// Into a table that holds rows already.
	out = f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"), vm("u3", "mail"))
	same(f, "outcome of one more", counts{Created: 1}, countsOf(out))
	same(f, "change", []db.Change{{
		ID: out.Changes[0].ID, ClusterID: f.cluster.ID, Kind: db.KindVM, ObjectID: f.vms()["u3"].ID, UUID: "u3", Name: "mail",
		Op: db.OpCreated, ObservedAt: f.now, RecordedAt: out.Changes[0].RecordedAt,
	}}, out.Changes)
	same(f, "generation", int64(2), out.Generation)
	fresh := f.freshness(db.KindVM)
	same(f, "freshness", db.Freshness{
		ClusterID: f.cluster.ID, Kind: db.KindVM, AttemptedAt: &f.now, RefreshedAt: &f.now, SnapshotAt: &f.now,
		DurationMS: 1500, Bytes: 4711, Objects: 3, NextDueAt: new(f.now.Add(time.Minute)), Generation: 2,
		AttemptTicket: f.asked, SnapshotTicket: f.asked,
	}, fresh)
}

func unchanged(f *fixture) {
	items := []db.Item{vm("u1", "web"), vm("u2", "db")}
	f.apply(db.KindVM, items...)
	before := f.vms()
	// The bytes are known, or (after a conflict, say) sent again although they are equal.
	for _, again := range []bool{false, true} {
		snap := f.answer(db.KindVM, items...)
		if again {
			snap.Changed, snap.Missing = sequence(items), []string{"u1", "u2"}
		}
		out := f.applySnapshot(snap)
		same(f, "outcome", db.Outcome{Generation: 1}, out)
		same(f, "rows", before, f.vms())
	}
	same(f, "refreshed", f.now, *f.freshness(db.KindVM).RefreshedAt)
}

func updated(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	id := f.vms()["u1"].ID
	out := f.apply(db.KindVM, vm("u2", "db"), vm("u1", "web", func(v *db.VM) {
		v.PrimaryNode = "node2" // a live migration: neither serial_no nor mtime moves
		v.OperState, v.OperMemoryMiB = nil, nil
		v.VCPUs = new(int64(4))
		v.Tags = db.List{"env:prod", "x"}
		v.NICIPs = db.List{"192.0.2.1"}
		v.MTime = new(time.Unix(1_700_000_200, 500_000_000))
	}))
	same(f, "outcome", counts{Updated: 1}, countsOf(out))
	same(f, "row", line{ID: id, UUID: "u1", Name: "web", Status: "running", Node: "node2", Seen: f.now}, f.vms()["u1"])
	want := map[string]db.FieldChange{
		"primary_node":    {Old: "node1", New: "node2"},
		"oper_state":      {Old: true, New: nil},
		"oper_memory_mib": {Old: json.Number("1024"), New: nil},
		"vcpus":           {Old: json.Number("2"), New: json.Number("4")},
		"tags":            {Old: []any{"env:prod"}, New: []any{"env:prod", "x"}},
		"nic_ips":         {Old: []any{nil}, New: []any{"192.0.2.1"}},
		"/nic_ips":        {Old: []any{""}, New: []any{"192.0.2.1"}}, // as this item has it, which is not the column's
		"mtime":           {Old: "2023-11-14T22:15:00Z", New: "2023-11-14T22:16:40.5Z"},
	}
	same(f, "fields", want, out.Changes[0].Fields)
	all := must(f.s.Changes(f.ctx(), 0, 100))(f)
	same(f, "fields as stored", want, all[len(all)-1].Fields)
}

func renamed(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	id := f.vms()["u1"].ID
	out := f.apply(db.KindVM, vm("u2", "db"), vm("u1", "www", func(v *db.VM) { v.SerialNo = new(int64(3)) }))
	same(f, "outcome", counts{Renamed: 1}, countsOf(out))
	same(f, "id", id, f.vms()["u1"].ID)
	same(f, "fields", map[string]db.FieldChange{
		"name":      {Old: "web", New: "www"},
		"serial_no": {Old: json.Number("1"), New: json.Number("3")},
	}, out.Changes[0].Fields)
	// Two VMs swap their names.
	out = f.apply(db.KindVM, vm("u1", "db"), vm("u2", "www"))
	same(f, "outcome of a swap", counts{Renamed: 2}, countsOf(out))
}

func removedRestored(f *fixture) {
	web := vm("u1", "web")
	f.apply(db.KindVM, web, vm("u2", "db"))
	id := f.vms()["u1"].ID
	_, cursor := f.ops(0)

	out := f.apply(db.KindVM, vm("u2", "db"))
	same(f, "outcome", counts{Removed: 1}, countsOf(out))
	same(f, "tombstone", line{
		ID: id, UUID: "u1", Name: "web", Status: "running", Node: "node1", Seen: f.now, Deleted: &f.now,
	}, utc(f.vms()["u1"]))
	same(f, "removed again", counts{}, countsOf(f.apply(db.KindVM, vm("u2", "db"))))

	out = f.apply(db.KindVM, web, vm("u2", "db"))
	same(f, "outcome of the return", counts{Restored: 1}, countsOf(out))
	same(f, "row", line{ID: id, UUID: "u1", Name: "web", Status: "running", Node: "node1", Seen: f.now}, f.vms()["u1"])

	f.apply(db.KindVM)
	same(f, "live after an empty answer", map[string]string{}, f.live())
	f.apply(db.KindVM, vm("u1", "www", func(v *db.VM) { v.Status = "ADMIN_down" }))
	ops, _ := f.ops(cursor)
	same(f, "changes", []string{"removed web", "restored web", "removed web", "removed db", "restored www"}, ops)
	same(f, "id", id, f.vms()["u1"].ID)
}

func utc(l line) line {
	if l.Deleted != nil {
		l.Deleted = new(l.Deleted.UTC())
	}
	return l
}

func volatileColumns(f *fixture) {
	f.apply(db.KindNode, node("n1", "node1"))
	out := f.apply(db.KindNode, node("n1", "node1", func(n *db.Node) { n.MemoryFreeMiB = new(int64(7)) }))
	same(f, "outcome", counts{}, countsOf(out))
	same(f, "rows written", int64(1), out.RowsWritten)
	same(f, "changes", 0, len(out.Changes))
	same(f, "free", int64(7), f.number("SELECT memory_free_mib FROM nodes"))
	same(f, "generation", int64(2), f.freshness(db.KindNode).Generation)
	// With a real change beside it, the entry has the real one alone.
	out = f.apply(db.KindNode, node("n1", "node1", func(n *db.Node) { n.MemoryFreeMiB, n.Role = nil, "O" }))
	same(f, "fields", map[string]db.FieldChange{"role": {Old: "M", New: "O"}}, out.Changes[0].Fields)
}

func sameMeaning(f *fixture) {
	web, ok := vm("u1", "web").Row.(*db.VM)
	if !ok {
		f.Fatal("no VM")
	}
	f.apply(db.KindVM, withRaw(web, `{"a": 1.0, "b": {"x": [1, 2], "y": null}}`), vm("u2", "db"))
	before := f.vms()
	again := withRaw(web, `{"b":{"y":null,"x":[1,2e0]},"a":1}`)
	out := f.apply(db.KindVM, again, vm("u2", "db"))
	same(f, "outcome", db.Outcome{RowsWritten: 1, Generation: 2}, out)
	same(f, "rows", before, f.vms())
	out = f.apply(db.KindVM, again, vm("u2", "db"))
	same(f, "the new bytes are on record", db.Outcome{Generation: 2}, out)
}

func infoKeys(f *fixture) {
	row := vm("u1", "web").Row
	f.apply(db.KindVM, withRaw(row, `{"uuid": "u1", "hvparams": {"acpi": true}, "gone": 1, "same": [1]}`))
	out := f.apply(db.KindVM, withRaw(row, `{"uuid": "u1", "hvparams": {"acpi": false}, "same": [1], "new": "x"}`))
	same(f, "outcome", counts{Updated: 1}, countsOf(out))
	same(f, "fields", map[string]db.FieldChange{
		"/hvparams/acpi": {Old: true, New: false},
		"/gone":          {Old: json.Number("1"), New: db.Absent},
		"/new":           {Old: db.Absent, New: "x"},
	}, out.Changes[0].Fields)
	if !strings.Contains(f.info("u1"), "new") {
		f.Errorf("info is still %s", f.info("u1"))
	}
}

func everyKind(f *fixture) {
	at := new(time.Unix(1_700_000_000, 0).UTC())
	rows := map[db.Kind]db.Row{
		db.KindVM:   vm("x", "x").Row,
		db.KindNode: node("x", "x").Row,
		db.KindGroup: &db.Group{
			Object: db.Object{UUID: "x", Name: "x"}, AllocPolicy: "preferred", NodeCount: new(int64(1)), Nodes: db.List{"n"}, CTime: at,
		},
		db.KindNetwork: &db.Network{
			Object: db.Object{UUID: "x", Name: "x"}, Network: "10.0.0.0/8", MACPrefix: "aa:bb:cc", FreeCount: new(int64(9)), MTime: at,
		},
		db.KindJob: &db.Job{
			Object: db.Object{UUID: "12", Name: "x"}, Status: "success", Summary: db.List{"x", "y"}, ReceivedAt: at, EndedAt: at,
		},
	}
	for _, k := range db.Kinds() {
		first := item(rows[k])
		same(f, string(k), counts{Created: 1}, countsOf(f.apply(k, first)))
		same(f, string(k)+" again", db.Outcome{Generation: 1}, f.apply(k, first))
		snap := f.answer(k, first)
		snap.Changed = sequence([]db.Item{{Row: first.Row, Raw: first.Raw, Digest: digest("other")}})
		same(f, string(k)+" read back", db.Outcome{RowsWritten: 1, Generation: 2}, f.applySnapshot(snap))
		same(f, string(k)+" removed", counts{Removed: 1}, countsOf(f.apply(k)))
	}
}

func permissions(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	grant := "INSERT INTO permissions (subject, permission, vm_id) SELECT 'alice', 'admin', id FROM virtual_machines"
	f.mustWrite(grant)
	f.apply(db.KindVM, vm("u1", "www", func(v *db.VM) { v.PrimaryNode = "node9" }))
	f.apply(db.KindVM, vm("u1", "www"), vm("u2", "db"))
	same(f, "permissions", int64(2), f.number("SELECT count(*) FROM permissions p JOIN virtual_machines v ON v.id = p.vm_id"))
	for _, wrong := range []string{
		"INSERT INTO permissions (subject, permission) VALUES ('a', 'b')",
		"INSERT INTO permissions (subject, permission, vm_id, cluster_id) SELECT 'a', 'b', id, cluster_id FROM virtual_machines",
		grant,
	} {
		if err := f.write(wrong); err == nil {
			f.Errorf("accepted: %s", wrong)
		}
	}
}
