package updater_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

// poisons are values that no column, index or document may choke on, as JSON texts: whatever Ganeti sends in one field of one
// object, it is that object's trouble alone.
func poisons() []string {
	// Text that no page of a database can compress, so that the limits of its indexes are met.
	random := func(n int) string {
		b := make([]byte, n/2+1)
		seed := [32]byte{1}
		rand.NewChaCha8(seed).Read(b) //nolint:errcheck // it never fails
		return hex.EncodeToString(b)[:n]
	}
	quoted := func(s string) string { return `"` + s + `"` }
	all := []string{
		"null", "true", "false", "{}", "[]", `""`, `"-"`, `" "`, "-1", "0", "-0", "1e5", "1.5", "2147483648", "9007199254740993",
		"9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551616", "1e308", "1e400", "-1e400", "NaN", "Infinity",
		"1e99999", "1e-99999", `"1e400"`, `"9223372036854775807"`, "[9223372036854775807, 9223372036854775807]", "[9223372036854775807]", "[null, null]",
		strings.Repeat("9", 1000), strings.Repeat("9", 140_000), "0." + strings.Repeat("3", 20_000),
		`"\u0000"`, `["\u0000"]`, `"\ud800"`, `"\ud800\udbff"`, "\"\xff\xfe\xc0\"", `"\uffff\ufdd0"`, `"'; DROP TABLE clusters; --"`, `"{\"a\",NULL}"`, `"\\"`,
		`["", "", null]`, `[["a"]]`, `[{"a": 1}]`, `{"": 1}`, `{"a": 1, "a": 2}`, `{"\u0000": {"\u0000": "\u0000"}}`, `{"/~": {"~1": ["x"]}}`,
		`{"maxmem": 9223372036854775807, "vcpus": 9223372036854775807}`, `{"maxmem": "x", "vcpus": []}`,
		strings.Repeat("[", 90) + strings.Repeat("]", 90), strings.Repeat(`{"a":`, 90) + "1" + strings.Repeat("}", 90), strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000),
		"[" + strings.Repeat("1,", 20_000) + "1]", "[" + strings.Repeat(`"a",`, 20_000) + `"b"]`, "253402300800", "-62135596801", "[1e18, 1e18]",
		`{"` + random(3000) + `": "` + random(3000) + `"}`,
	}
	for _, n := range []int{1, 255, 256, 1024, 1025, 2046, 2047, 2048, 2692, 2705, 8191, 300_000} {
		all = append(all, quoted(random(n)), "["+quoted(random(n))+", "+quoted(random(min(n-1, 9000)))+"]")
	}
	if raceDetector {
		return slowly(all)
	}
	return all
}

// slowly is a part of the values, for the race detector, with which SQLite is ten times slower: it looks for other faults.
func slowly(all []string) []string {
	const each, longest = 6, 10_000
	var some []string
	for i, value := range all {
		if i%each == 0 && len(value) < longest {
			some = append(some, value)
		}
	}
	return some
}

// typedFields are those that are more than a part of info: columns are made of them.
const typedFields = `uuid name id status admin_state oper_state pnode snodes os disk_template beparams oper_ram disk.sizes nic.ips nic.macs
nic.links nic.networks.names network_port tags serial_no ctime mtime role offline drained master_candidate master_capable vm_capable group.uuid
pip sip mtotal mfree mnode dtotal dfree ctotal csockets cnodes cnos pinst_cnt sinst_cnt alloc_policy node_cnt summary received_ts start_ts
end_ts network gateway network6 gateway6 mac_prefix free_count reserved_count osparams`

// poisonedKind is a kind whose objects are poisoned.
type poisonedKind struct {
	kind  db.Kind
	path  string
	table string
	// mark is a field whose value shows in a column, so that every round changes the healthy objects.
	mark, column string
}

func poisonedKinds() []poisonedKind {
	return []poisonedKind{
		{db.KindVM, "/2/instances", "virtual_machines", "os", "os"},
		{db.KindNode, "/2/nodes", "nodes", "pip", "primary_ip"},
		{db.KindGroup, "/2/groups", "node_groups", "alloc_policy", "alloc_policy"},
		{db.KindNetwork, "/2/networks", "networks", "mac_prefix", "mac_prefix"},
		{db.KindJob, "/2/jobs", "jobs", "status", "status"},
	}
}

// TestPoison_FailsItsOwnObjectAlone puts every poison into every field of an object of every kind, beside healthy ones that
// have changed: they are stored, whatever becomes of the poisoned one, and everything can be read.
func TestPoison_FailsItsOwnObjectAlone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		t.Helper()
		r, l := lyingRig(t, store, 2, 64<<20)
		for _, k := range poisonedKinds() {
			r.poison(t, l, k)
		}
		r.poisonInfo(t, l)
	})
}

// poison does that for one kind.
func (r *rig) poison(t *testing.T, l *liar, k poisonedKind) {
	t.Helper()
	var items []json.RawMessage
	must(t, json.Unmarshal([]byte(l.bodies[k.path]), &items))
	original := []byte(items[0])
	var fields map[string]json.RawMessage
	must(t, json.Unmarshal(original, &fields))
	values := poisons()
	copies := make([]string, len(values))
	for i := range copies {
		copies[i] = string(original)
		for _, field := range []string{"uuid", "name", "id"} {
			if old, ok := fields[field]; ok {
				other := fmt.Sprintf(`"poison-%d"`, i)
				if old[0] != '"' {
					other = strconv.Itoa(1_000_000 + i)
				}
				copies[i] = string(rapisim.SetField(field, other)([]byte(copies[i])))
			}
		}
	}
	round := 0
	send := func(poisoned []string) updater.KindResult {
		round++
		all := slices.Clone(poisoned)
		for _, item := range items {
			all = append(all, string(rapisim.SetField(k.mark, fmt.Sprintf(`"round %d"`, round))(bytes.Clone(item))))
		}
		l.lie(k.path, whole(list(all...)))
		res, err := r.u.Refresh(t.Context(), "prod", updater.RefreshOptions{Kinds: []db.Kind{k.kind}})
		must(t, err)
		of, ok := res.Of(k.kind)
		if !ok {
			t.Fatalf("%s: nothing was refreshed: %v", k.kind, res.Err())
		}
		return of
	}
	if first := send(copies); first.Err != nil {
		t.Fatalf("%s: %v", k.kind, first.Err)
	}
	typed := strings.Fields(typedFields)
	for i, field := range slices.Sorted(maps.Keys(fields)) {
		if i%8 != 0 && !slices.Contains(typed, field) {
			continue // it is stored as a part of info, as the others are
		}
		poisoned := make([]string, len(values))
		for i, value := range values {
			poisoned[i] = string(rapisim.SetField(field, value)([]byte(copies[i])))
		}
		of := send(poisoned)
		if reason := updater.Reason(of.Err); reason != "" && reason != "quarantine" {
			t.Errorf("%s.%s: %s: %.300v", k.kind, field, reason, of.Err)
		}
		var healthy []int
		r.query(&healthy, "SELECT count(*) FROM "+k.table+" WHERE deleted_at IS NULL AND "+k.column+fmt.Sprintf(" = 'round %d'", round))
		if healthy[0] != len(items) {
			t.Errorf("%s.%s: %d of %d healthy objects are up to date", k.kind, field, healthy[0], len(items))
		}
		if !raceDetector || i%8 == 0 {
			r.readEverything(t, string(k.kind)+"."+field)
		}
	}
	if k.kind == db.KindVM {
		giant := slices.Clone(copies)
		giant[0] = string(rapisim.SetField("osparams", `{"x": "`+strings.Repeat("x", 17<<20)+`"}`)([]byte(giant[0])))
		of := send(giant)
		var aside []string
		r.query(&aside, "SELECT reason FROM quarantine")
		if updater.Reason(of.Err) != "quarantine" || len(aside) != 1 || !strings.Contains(aside[0], "16 MiB") {
			t.Errorf("a VM of 17 MiB: %v; in quarantine: %q", of.Err, aside)
		}
	}
	r.healed(t, k, send(copies))
	var ids []int64
	r.query(&ids, "SELECT id FROM clusters")
	if _, err := r.store.AsOf(t.Context(), ids[0], k.kind, time.Now().Add(-time.Hour)); err != nil && !errors.Is(err, db.ErrBeforeHistory) {
		t.Errorf("%s: the state of an hour ago: %.300v", k.kind, err)
	}
}

// healed checks that a true answer leaves no trace of a poison.
func (r *rig) healed(t *testing.T, k poisonedKind, of updater.KindResult) {
	t.Helper()
	if of.Err != nil {
		t.Errorf("%s: a true answer at the end: %v", k.kind, of.Err)
	}
	var aside []int
	r.query(&aside, "SELECT count(*) FROM quarantine")
	if aside[0] != 0 {
		t.Errorf("%s: %d items are in quarantine after a true answer", k.kind, aside[0])
	}
}

// poisonInfo does the same with the cluster's own info, which is one object: VMs are refreshed beside it.
func (r *rig) poisonInfo(t *testing.T, l *liar) {
	t.Helper()
	// Those that have columns, and some of the others, each with some of the values.
	names := []string{"name", "software_version", "master", "default_hypervisor", "enabled_hypervisors", "tags", "ctime", "mtime", "osparams", "ipolicy", "another"}
	for i, value := range poisons() {
		for j, field := range names {
			if (i+j)%7 != 0 {
				continue
			}
			l.lie("/2/info", whole(string(rapisim.SetField(field, value)([]byte(l.bodies["/2/info"])))))
			l.lie("/2/instances", whole(list(string(rapisim.SetField("os", fmt.Sprintf(`"info %d.%d"`, i, j))([]byte(l.items[0]))), l.items[1])))
			res, err := r.u.Refresh(t.Context(), "prod", updater.RefreshOptions{Kinds: []db.Kind{db.KindVM}})
			must(t, err)
			var changed []int
			r.query(&changed, fmt.Sprintf("SELECT count(*) FROM virtual_machines WHERE os = 'info %d.%d'", i, j))
			if changed[0] != 1 {
				t.Errorf("info.%s = %.40s: the VMs were not refreshed: %.300v", field, value, res.Err())
			}
		}
		if i%10 == 0 {
			r.readEverything(t, fmt.Sprintf("info with %.20s", value))
		}
	}
}

// readEverything reads all that readers may ask for.
func (r *rig) readEverything(t *testing.T, when string) {
	t.Helper()
	fail := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %s: %.300v", when, what, err)
		}
	}
	ctx := t.Context()
	for _, by := range []db.SumBy{db.SumTotal, db.SumByCluster, db.SumByNode, db.SumByOS, db.SumByTag, db.SumByStatus} {
		_, err := r.store.SumVMs(ctx, db.VMFilter{}, by)
		fail("sums by "+string(by), err)
	}
	vms, err := r.store.SearchVMs(ctx, db.VMFilter{WithInfo: true, Limit: 200})
	fail("VMs", err)
	for i := range vms.Items {
		_, err := json.Marshal(vms.Items[i])
		fail("a VM as JSON", err)
	}
	_, err = r.store.SearchNodes(ctx, db.NodeFilter{WithInfo: true, Limit: 200})
	fail("nodes", err)
	_, err = r.store.SearchGroups(ctx, db.GroupFilter{WithInfo: true, Limit: 200})
	fail("groups", err)
	_, err = r.store.SearchNetworks(ctx, db.NetworkFilter{WithInfo: true, Limit: 200})
	fail("networks", err)
	_, err = r.store.SearchJobs(ctx, db.JobFilter{WithInfo: true, Limit: 200})
	fail("jobs", err)
	changes, err := r.store.ChangesAfter(ctx, db.ChangeFilter{Newest: true, Limit: 300})
	fail("changes", err)
	_, err = json.Marshal(changes)
	fail("changes as JSON", err)
	for _, view := range []string{"cluster_usage", "vms", "cluster_status"} {
		rows, err := r.store.DB().QueryxContext(ctx, "SELECT * FROM "+view)
		fail("view "+view, err)
		if err == nil {
			for rows.Next() {
				_, err := rows.SliceScan()
				fail("view "+view, err)
			}
			fail("view "+view, rows.Err())
			rows.Close()
		}
	}
}
