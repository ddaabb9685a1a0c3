package updater_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/updater"
)

// mutants is how many malformed answers are tried on a database, unless HOSTILE says otherwise.
const mutants = 250

// mutator makes answers that are wrong in ways nobody thought of, always the same ones for a seed.
type mutator struct {
	rng   *rand.Rand
	items []string
}

// next is a list of the items with one to four things wrong.
func (m *mutator) next() string {
	items := slices.Clone(m.items)
	if m.rng.IntN(2) == 0 {
		for range 1 + m.rng.IntN(2) {
			items = m.structure(items)
		}
		if m.rng.IntN(2) == 0 {
			return list(items...)
		}
	}
	body := []byte(list(items...))
	for range 1 + m.rng.IntN(3) {
		body = m.bytes(body)
	}
	return string(body)
}

// structure changes the list or one item as a whole, so that most results are JSON still.
func (m *mutator) structure(items []string) []string {
	if len(items) == 0 {
		return m.items
	}
	i, j := m.rng.IntN(len(items)), m.rng.IntN(len(items))
	switch m.rng.IntN(8) {
	case 0:
		return slices.Delete(items, min(i, j), max(i, j))
	case 1:
		return slices.Insert(items, j, items[i])
	case 2:
		items[i], items[j] = items[j], items[i]
	case 3:
		items[i] = m.pick("null", "[]", "{}", `""`, "0", "["+items[i]+"]", `{"vm": `+items[i]+"}")
	case 4: // two items run together
		items[i] = strings.TrimSuffix(items[i], "}") + m.pick(", ", " ", "") + items[j][min(1, len(items[j])):]
		return slices.Delete(items, j, min(j+m.rng.IntN(2), len(items)))
	default:
		items[i] = m.member(items[i])
	}
	return items
}

// member changes a pair of an item: drops it, renames its key, gives it another value, or says it twice.
func (m *mutator) member(item string) string {
	pairs := strings.Split(strings.Trim(item, "{}"), `, "`)
	i := m.rng.IntN(len(pairs))
	if m.rng.IntN(3) == 0 {
		i = max(0, slices.IndexFunc(pairs, func(p string) bool { return strings.HasPrefix(p, m.pick("uuid", "name")) }))
	}
	key, value, _ := strings.Cut(pairs[i], ": ")
	switch m.rng.IntN(4) {
	case 0:
		pairs = slices.Delete(pairs, i, i+1)
	case 1:
		pairs[i] = m.pick("x", "uuid", "name", `\u0075uid`, "UUID") + `": ` + value
	case 2:
		pairs[i] = key + ": " + m.pick("null", "1e999", "[]", "{}", `"\ud800"`, `"\u0000"`, "true", "-0", `"`+strings.Repeat("x", 70)+`"`, "NaN")
	default:
		pairs = slices.Insert(pairs, m.rng.IntN(len(pairs)), key+": "+m.pick(value, `"u"`, "null"))
	}
	return "{" + strings.Join(pairs, `, "`) + "}"
}

// bytes damages a body without any regard for what it says.
func (m *mutator) bytes(b []byte) []byte {
	if len(b) == 0 {
		return []byte("[")
	}
	i, j := m.rng.IntN(len(b)), m.rng.IntN(len(b))
	if m.rng.IntN(2) == 0 { // at what holds it together
		for !strings.ContainsRune(`{}[]",:\`, rune(b[i])) && i > 0 {
			i--
		}
	}
	from, to := min(i, j), max(i, j)
	switch m.rng.IntN(8) {
	case 0:
		b[i] ^= 1 << m.rng.IntN(8)
		return b
	case 1:
		return slices.Delete(b, i, i+1)
	case 2:
		return slices.Insert(b, i, b[i])
	case 3:
		return slices.Insert(b, i, m.pick("{", "}", "[", "]", `"`, ",", ":", `\`, "\x00", "\xff", " ", "0")[0])
	case 4:
		return b[:i]
	case 5:
		return slices.Delete(b, from, min(to, from+1+m.rng.IntN(2000)))
	case 6:
		return slices.Insert(b, j, slices.Clone(b[from:min(to, from+1+m.rng.IntN(500))])...)
	default:
		b[i], b[j] = b[j], b[i]
		return b
	}
}

func (m *mutator) pick(from ...string) string { return from[m.rng.IntN(len(from))] }

// judged is what encoding/json says of a body, Python's NaN aside: Ganeti may send that, and the updater takes it for null.
type judged struct {
	list     bool            // it is a list, to its end
	uuids    map[string]bool // of its items
	nameless int             // items that have no uuid
}

func judge(body string) judged {
	j := judged{uuids: map[string]bool{}}
	var items []json.RawMessage
	if json.Unmarshal([]byte(strings.ReplaceAll(body, ": NaN", ": null")), &items) != nil || items == nil {
		return j
	}
	j.list = true
	for _, item := range items {
		var object map[string]json.RawMessage // a number may be beyond a float64
		var uuid string
		if json.Unmarshal(item, &object) != nil || json.Unmarshal(object["uuid"], &uuid) != nil || uuid == "" || len(uuid) > 64 || strings.ContainsFunc(uuid, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }) {
			j.nameless++
			continue
		}
		j.uuids[uuid] = true
	}
	return j
}

// tally counts what became of the answers.
type tally struct{ malformed, good, refused, withheld, setAside, unchanged, removals, wrongRemovals, falselyFresh, panics int }

// TestHostile_Mutants damages true answers at random until so many were malformed by encoding/json's verdict: no refresh
// panics, no VM is removed unless a valid answer lacks it, and none is called fresh that the answer did not vouch for.
func TestHostile_Mutants(t *testing.T) {
	t.Parallel()
	want, seed := mutants, rand.Uint64()
	if n, err := strconv.Atoi(os.Getenv("HOSTILE")); err == nil {
		want = n
	}
	if n, err := strconv.ParseUint(os.Getenv("HOSTILE_SEED"), 10, 64); err == nil {
		seed = n
	}
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r, l := lyingRig(t, store, 6, 8<<20)
		m := &mutator{rng: rand.New(rand.NewPCG(seed, 0)), items: l.items}
		var n tally
		before := r.live()
		for n.malformed < want && !t.Failed() {
			body := m.next()
			l.lie("/2/instances", whole(body))
			if n.try(t, r, body, before) {
				l.heal()
				r.checkHealed(t, before)
			}
			if t.Failed() {
				t.Errorf("HOSTILE_SEED=%d, answer %d: %q", seed, n.malformed+n.good, body)
			}
		}
		t.Logf("seed %d: %d malformed answers and %d good ones\n"+
			"refreshes refused %d, removals withheld %d, items set aside %d, unchanged %d, VMs removed as a valid answer says %d\n"+
			"wrong removals %d, falsely fresh %d, panics %d",
			seed, n.malformed, n.good, n.refused, n.withheld, n.setAside, n.unchanged, n.removals, n.wrongRemovals, n.falselyFresh, n.panics)
	})
}

// try refreshes from a damaged answer and checks what that did to the rows. It reports whether the cluster must be healed
// before the next one.
func (n *tally) try(t *testing.T, r *rig, body string, before []liveRow) (dirty bool) {
	t.Helper()
	age, refusedBefore := r.stampedAt(), n.refused
	res, err := r.u.Refresh(t.Context(), "prod", updater.RefreshOptions{Kinds: []db.Kind{db.KindVM}})
	must(t, err)
	verdict, vms := judge(body), kindOf(res)
	if verdict.list && verdict.nameless == 0 {
		n.good++
	} else {
		n.malformed++
	}
	if panicked, ok := errors.AsType[*updater.PanicError](res.Err()); ok {
		n.panics++
		t.Errorf("%v\n%s", panicked, panicked.Stack)
	}
	n.setAside += vms.Outcome.Quarantined
	var withheldRemovals *updater.WithheldError
	switch {
	case errors.As(res.Err(), &withheldRemovals):
		n.withheld++
	case res.Err() != nil:
		n.refused++
		if reason := updater.Reason(res.Err()); reason != "not_json" && reason != "truncated" {
			t.Errorf("reason = %q: %v", reason, res.Err())
		}
	case vms.Outcome.RowsWritten == 0:
		n.unchanged++
	}
	n.checkRemovals(t, verdict, before, r.live())
	n.checkAge(t, body, before, res.Err() == nil, r.stampedAt().After(age))
	return n.refused == refusedBefore && vms.Outcome.RowsWritten+int64(len(vms.Outcome.Withheld)) > 0
}

func kindOf(res updater.Result) updater.KindResult {
	vms, _ := res.Of(db.KindVM)
	return vms
}

// checkRemovals holds that a row is gone only if a valid list with a uuid in each item does not have it, and is there with
// its id otherwise. Losing some of six VMs is no reason for the guard to doubt; losing all is.
func (n *tally) checkRemovals(t *testing.T, verdict judged, before, after []liveRow) {
	t.Helper()
	ids := map[string]int64{}
	for _, row := range after {
		ids[row.UUID] = row.ID
	}
	lacking := 0
	for _, row := range before {
		if !verdict.uuids[row.UUID] {
			lacking++
		}
	}
	for _, row := range before {
		id, there := ids[row.UUID]
		legal := verdict.list && verdict.nameless == 0 && !verdict.uuids[row.UUID] && lacking < len(before)
		switch {
		case there && id != row.ID:
			t.Errorf("%s had the id %d and has %d", row.Name, row.ID, id)
		case !there && legal:
			n.removals++
		case !there:
			n.wrongRemovals++
			t.Errorf("%s is removed", row.Name)
		}
	}
}

// checkAge holds that a success is stamped and nothing else, and that the answer then names every VM that is live still.
func (n *tally) checkAge(t *testing.T, body string, live []liveRow, succeeded, stamped bool) {
	t.Helper()
	if succeeded != stamped {
		n.falselyFresh++
		t.Errorf("succeeded = %v, stamped = %v", succeeded, stamped)
	}
	if !stamped || judge(body).list {
		return
	}
	for _, row := range live { // an item that is no JSON was set aside, and was none of these
		if !strings.Contains(body, fmt.Sprintf("%q", row.UUID)) {
			n.falselyFresh++
			t.Errorf("called fresh, although %s is not in the answer", row.Name)
		}
	}
}
