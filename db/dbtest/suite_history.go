package dbtest

import (
	"encoding/json"

	"ganeticache/db"
)

// infoBesideColumns: what changed in info is recorded whatever else did, in each of the ways in which a row is written.
func infoBesideColumns(f *fixture) {
	raw := func(minmem, status, extra string) string {
		return `{"uuid": "u1", "name": "web", "status": "` + status + `", "beparams": {"minmem": ` + minmem + `, "maxmem": 256}` + extra + `}`
	}
	one := func(minmem, status, extra string) db.Item {
		row := vm("u1", "web", func(v *db.VM) { v.Status = status }).Row
		return withRaw(row, raw(minmem, status, extra))
	}
	f.apply(db.KindVM, one("128", "running", ""), vm("u2", "db"))
	out := f.apply(db.KindVM, one("192", "ADMIN_down", ""), vm("u2", "db"))
	same(f, "beside a column", map[string]db.FieldChange{
		"status":           {Old: "running", New: "ADMIN_down"},
		"/beparams/minmem": {Old: json.Number("128"), New: json.Number("192")},
	}, out.Changes[0].Fields)
	out = f.see(f.ask(), one("200", "running", ""), "")
	same(f, "of one object", map[string]db.FieldChange{
		"status":           {Old: "ADMIN_down", New: "running"},
		"/beparams/minmem": {Old: json.Number("192"), New: json.Number("200")},
	}, out.Changes[0].Fields)
	f.apply(db.KindVM, vm("u2", "db"))
	out = f.apply(db.KindVM, one("300", "running", `, "a/b~c": 1`), vm("u2", "db"))
	got := out.Changes[0].Fields
	same(f, "of one that returned", db.FieldChange{Old: json.Number("200"), New: json.Number("300")}, got["/beparams/minmem"])
	if _, ok := got["/a~1b~0c"]; !ok {
		f.Errorf("no entry for a key with / and ~ in %v", got)
	}
}
