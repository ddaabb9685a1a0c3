package dbtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ganeticache/db"
)

// awkward has what COPY, array literals, JSON or UTF-8 give a meaning to.
func awkward() []string {
	return []string{
		"plain", `back\slash`, `\N`, "tab\there", "line\nfeed", "return\r", `quote"`, "apostrophe'", "{brace}", "comma,", "NULL", "null",
		" space ", "ünïcödé", "日本", "\U0001F600", "nul\x00", "bad\xffutf8", "unit\x1fseparator", `\`, `\.`, "?", "$1", "%", "[", "]", "{", "}",
	}
}

// stored is what becomes of awkward texts: PostgreSQL takes neither NUL nor invalid UTF-8.
func stored(texts []string) []string {
	clean := make([]string, len(texts))
	for i, s := range texts {
		clean[i] = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
	}
	return clean
}

// values writes each text by each way of writing there is and reads it back: a second snapshot that differs in its bytes
// only finds every column equal.
func values(f *fixture) {
	texts := awkward()
	list := append(db.List{""}, append(texts, "")...)
	rows := func(n int, raw string) []db.Item {
		items := make([]db.Item, n)
		for i := range items {
			text := texts[i%len(texts)]
			row := vm(fmt.Sprintf("u%d-%s", i, text), "vm", func(v *db.VM) {
				v.Name, v.OS, v.Tags, v.NICIPs, v.NICMACs = text, text, append(db.List{}, list...), db.List{}, nil
			}).Row
			info, err := json.Marshal(map[string]string{"text": strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")})
			if err != nil {
				f.Fatal(err)
			}
			items[i] = withRaw(row, string(info)+raw+strings.Repeat(" ", i))
		}
		return items
	}
	n := len(texts)
	same(f, "loaded", counts{Created: n}, countsOf(f.apply(db.KindVM, rows(n, "")...)))
	same(f, "equal after loading", counts{}, countsOf(f.apply(db.KindVM, rows(n, "\n")...)))
	same(f, "inserted", counts{Created: n}, countsOf(f.apply(db.KindVM, rows(2*n, "\n")...)))
	same(f, "equal after inserting", counts{}, countsOf(f.apply(db.KindVM, rows(2*n, "\n\n")...)))
	same(f, "staged", counts{Created: 14 * n}, countsOf(f.apply(db.KindVM, rows(16*n, "\n\n")...)))
	same(f, "equal after arrays", counts{}, countsOf(f.apply(db.KindVM, rows(16*n, "\t")...)))

	var got struct {
		Tags db.List `db:"tags"`
		IPs  db.List `db:"nic_ips"`
	}
	if err := f.s.DB().GetContext(f.ctx(), &got, "SELECT tags, nic_ips FROM virtual_machines LIMIT 1"); err != nil {
		f.Fatal(err)
	}
	same(f, "list", db.List(stored(list)), got.Tags)
	same(f, "empty list", db.List{}, got.IPs)
	names := make(map[string]bool)
	for _, l := range f.vms() {
		names[l.Name] = true
	}
	for _, name := range stored(texts) {
		if !names[name] {
			f.Errorf("no VM is named %q", name)
		}
	}
}

func times(f *fixture) {
	zone := time.FixedZone("somewhere", -5*3600)
	at := time.Date(2026, 3, 29, 2, 30, 0, 123_456_789, zone)
	snap := f.answer(db.KindVM, vm("u1", "web", func(v *db.VM) { v.CTime, v.MTime = &at, new(time.Unix(0, 0)) }))
	snap.StartedAt = at
	f.applySnapshot(snap)
	want := time.Date(2026, 3, 29, 7, 30, 0, 123_456_000, time.UTC)
	var got struct {
		CTime    time.Time `db:"ctime"`
		MTime    time.Time `db:"mtime"`
		Observed time.Time `db:"observed_at"`
	}
	if err := f.s.DB().GetContext(f.ctx(), &got, "SELECT ctime, mtime, observed_at FROM virtual_machines"); err != nil {
		f.Fatal(err)
	}
	for _, t := range []time.Time{got.CTime, got.Observed, *f.freshness(db.KindVM).RefreshedAt, must(f.s.Changes(f.ctx(), 0, 1))(f)[0].ObservedAt} {
		if !t.Equal(want) {
			f.Errorf("got %v, want %v", t, want)
		}
		if _, offset := t.Zone(); offset != 0 {
			f.Errorf("%v is not UTC", t)
		}
	}
	same(f, "epoch", true, got.MTime.Equal(time.Unix(0, 0)))
}

func manyRows(f *fixture) {
	items := many(2500)
	same(f, "loaded", counts{Created: 2500}, countsOf(f.apply(db.KindVM, items...)))
	id := f.vms()["u2345"].ID
	ids := f.number("SELECT count(*) FROM changes c JOIN virtual_machines v ON v.id = c.object_id AND v.uuid = c.uuid")
	same(f, "changes name their rows", int64(2500), ids)
	for i := range items {
		items[i] = vm(fmt.Sprintf("u%04d", i), fmt.Sprintf("vm%04d", i), func(v *db.VM) { v.PrimaryNode = "node2" })
	}
	out := f.apply(db.KindVM, append(items, many(2600)[2500:]...)...)
	same(f, "changed", counts{Created: 100, Updated: 2500}, countsOf(out))
	same(f, "rows written", int64(2600), out.RowsWritten)
	same(f, "id", id, f.vms()["u2345"].ID)
	same(f, "node", "node2", f.vms()["u2345"].Node)
	same(f, "removed", counts{Removed: 2599}, countsOf(f.apply(db.KindVM, items[7])))
	same(f, "returned", counts{Restored: 2499}, countsOf(f.apply(db.KindVM, items...)))
	ids = f.number("SELECT count(*) FROM changes c JOIN virtual_machines v ON v.id = c.object_id AND v.uuid = c.uuid")
	same(f, "changes name their rows", int64(2500+2600+2599+2499), ids)
}

// manyChanges reads back entries that went in bulk.
func manyChanges(f *fixture) {
	f.apply(db.KindVM, many(300)...)
	items := many(300)
	for i := range items {
		items[i] = vm(fmt.Sprintf("u%04d", i), "tab\there", func(v *db.VM) { v.OS = `back\slash` })
	}
	_, cursor := f.ops(0)
	out := f.apply(db.KindVM, items...)
	changes := must(f.s.Changes(f.ctx(), cursor, 1000))(f)
	same(f, "changes", out.Changes, changes)
	same(f, "number", 300, len(changes))
	same(f, "fields", map[string]db.FieldChange{
		"name": {Old: "vm0299", New: "tab\there"}, "os": {Old: "debian", New: `back\slash`},
	}, changes[299].Fields)
}
