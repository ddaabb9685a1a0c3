package updater_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/updater"
)

// verdict is what the updater makes of an answer.
type verdict int

const (
	// refused answers do not count: no row and no age changes.
	refused verdict = iota
	// withheld answers are complete, but what they lack may still be there: nothing is removed, the age stays.
	withheld
	// kept answers hold an item that is set aside; its object is known and its row stays as it was.
	kept
	// believed answers are good, or as good as nobody can tell.
	believed
)

// hostile is an answer that no healthy cluster gives.
type hostile struct {
	name   string
	answer script
	want   verdict
	// reasons are the labels of the error, one of which must come; empty for answers that are believed.
	reasons string
	// gone is how many VMs a believed answer lacks.
	gone int
	// path is what is answered so; empty: the VMs.
	path string
	// slow answers end with the client's patience.
	slow bool
}

// hostileClass is a sort of hostile answers, as docs/hostile-input.md lists them.
type hostileClass struct {
	name    string
	answers []hostile
}

// classes are all that are tried by hand, made from what the cluster would say.
func classes(l *liar) []hostileClass {
	return []hostileClass{
		{"truncated", truncatedAnswers(l)},
		{"other types", otherTypes(l)},
		{"identity", identities(l)},
		{"text", texts(l)},
		{"numbers", numbers(l)},
		{"depth", depths(l)},
		{"not JSON", notJSON(l)},
		{"almost JSON", almostJSON(l)},
		{"run together", runTogether(l)},
		{"another answer", otherAnswers(l)},
		{"fewer objects", fewerObjects(l)},
		{"info", infos(l)},
		{"length", lengths(l)},
		{"chunked", chunkedAnswers(l)},
		{"status and header", headers(l)},
		{"echo of secrets", echoes()},
		{"slow", slowAnswers(l)},
	}
}

// TestHostile_Answers tries each answer on a cluster that is fresh: nothing is removed but what a complete answer lacks,
// nothing is called fresh that was not in one, and the next true answer mends everything.
func TestHostile_Answers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r, l := lyingRig(t, store, 8, 8<<20)
		counted := map[verdict]int{}
		for _, c := range classes(l) {
			for _, h := range c.answers {
				t.Run(c.name+"/"+h.name, func(t *testing.T) { //nolint:paralleltest // one cluster tells one lie at a time
					h.try(t, r, l)
				})
				counted[h.want]++
			}
		}
		t.Logf("tried %d answers: %d refused, %d with removals withheld, %d with an item set aside, %d believed",
			counted[refused]+counted[withheld]+counted[kept]+counted[believed],
			counted[refused], counted[withheld], counted[kept], counted[believed])
	})
}

// try tells the lie, checks what it did, and heals the cluster.
func (h hostile) try(t *testing.T, r *rig, l *liar) {
	t.Helper()
	before, age := r.live(), r.freshness("prod", db.KindVM)
	r.logs.TakeAll()
	path := h.path
	if path == "" {
		path = "/2/instances"
	}
	l.lie(path, h.answer)
	if h.slow {
		r.patience = 150 * time.Millisecond
	}
	began := time.Now()
	res, err := r.u.Refresh(t.Context(), "prod", updater.RefreshOptions{Kinds: []db.Kind{db.KindVM}})
	must(t, err)
	r.patience = time.Minute
	if d := time.Since(began); d >= r.patience {
		t.Errorf("the refresh took %s: it waited for a time-out", d)
	}
	h.checkResult(t, r, res)
	h.checkRows(t, before, r.live())
	moved := !r.freshness("prod", db.KindVM).RefreshedAt.Equal(*age.RefreshedAt)
	if want := h.want == kept || h.want == believed; moved != want {
		t.Errorf("refreshed_at moved = %v, want %v", moved, want)
	}
	l.heal()
	r.checkHealed(t, before)
}

// checkResult checks the error, and that no secret is in it or in the log.
func (h hostile) checkResult(t *testing.T, r *rig, res updater.Result) {
	t.Helper()
	if panicked, ok := errors.AsType[*updater.PanicError](res.Err()); ok {
		t.Errorf("%v\n%s", panicked, panicked.Stack)
	}
	if reason := updater.Reason(res.Err()); h.reasons == "" && reason != "" || h.reasons != "" && !slices.Contains(strings.Fields(h.reasons), reason) {
		t.Errorf("reason = %q (%.300v), want one of %q", reason, res.Err(), h.reasons)
	}
	if vms, _ := res.Of(db.KindVM); vms.Outcome.Removed != h.gone || h.want == kept && vms.Outcome.Quarantined == 0 {
		t.Errorf("%d removed and %d set aside, want %d removed", vms.Outcome.Removed, vms.Outcome.Quarantined, h.gone)
	}
	var all strings.Builder
	all.WriteString(r.freshness("prod", db.KindVM).Error)
	for _, line := range r.logs.All() {
		for _, v := range line.ContextMap() {
			if text, ok := v.(string); ok {
				all.WriteString(text)
			}
		}
	}
	said := all.String()
	if len(said) > 8<<10 {
		t.Errorf("the error and the log have %d bytes: %.500q", len(said), said)
	}
	for _, secret := range []string{password, base64.StdEncoding.EncodeToString([]byte("gwm:" + password))} {
		if strings.Contains(said, secret) {
			t.Errorf("the error or the log holds %q: %s", secret, said)
		}
	}
}

// checkRows checks that the rows are what they were: all of them if the answer does not count, else the same ids and uuids.
func (h hostile) checkRows(t *testing.T, before, after []liveRow) {
	t.Helper()
	if h.want == refused {
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("rows changed (-before +after):\n%s", diff)
		}
		return
	}
	ids := map[string]int64{}
	for _, row := range after {
		ids[row.UUID] = row.ID
	}
	gone := 0
	for _, row := range before {
		switch id, ok := ids[row.UUID]; {
		case !ok:
			gone++
		case id != row.ID:
			t.Errorf("%s had the id %d and has %d", row.Name, row.ID, id)
		}
	}
	if gone != h.gone {
		t.Errorf("%d rows are gone, want %d", gone, h.gone)
	}
}

// checkHealed checks that one true answer brings everything back as it was, with its ids.
func (r *rig) checkHealed(t *testing.T, before []liveRow) {
	t.Helper()
	res, err := r.u.Refresh(t.Context(), "prod", updater.RefreshOptions{Kinds: []db.Kind{db.KindVM}})
	must(t, err)
	must(t, res.Err())
	if diff := cmp.Diff(before, r.live(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("rows after it healed (-before +after):\n%s", diff)
	}
	if f := r.freshness("prod", db.KindVM); f.Error != "" || f.ConsecutiveFailures != 0 || f.Pending.Count != 0 {
		t.Errorf("freshness after it healed: %+v; want no error", f)
	}
	var aside []int
	r.query(&aside, "SELECT count(*) FROM quarantine")
	if aside[0] != 0 {
		t.Errorf("%d items are in quarantine after it healed", aside[0])
	}
}
