package updater_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

// once refreshes prod as a one-shot does.
func (r *rig) once() updater.Result {
	r.t.Helper()
	results, err := r.u.Once(r.t.Context(), []string{"prod"}, nil)
	must(r.t, err)
	return results[0]
}

// groupItem is an item of a list of groups: that of the object with this number, as it is, or broken in one of several ways.
func groupItem(object int, state string) string {
	uuid := fmt.Sprintf("00000000-0000-4000-8000-%012d", object)
	switch state {
	case "good", "better":
		return fmt.Sprintf(`{"uuid": %q, "name": "group%d", "alloc_policy": "preferred", "tags": [%q]}`, uuid, object, state)
	case "broken", "worse":
		return fmt.Sprintf(`{"uuid": %q, "name": 7, "tags": [%q]}`, uuid, state)
	default:
		return fmt.Sprintf(`{"name": "group%d", "tags": [%q]}`, object, state)
	}
}

// answerGroups makes the cluster answer with this list.
func (r *rig) answerGroups(items ...string) {
	r.servers["prod"].Heal()
	r.servers["prod"].Hurt(rapisim.Body([]byte("[" + strings.Join(items, ", ") + "]")).On("/2/groups"))
}

// Each one-shot that can read nothing of an answer says so, not only the first to see it.
func TestOnce_SaysEachTimeThatNothingCanBeRead(t *testing.T) {
	t.Parallel()
	good, broken, keyless := groupItem(1, "good"), groupItem(1, "broken"), groupItem(1, "keyless")
	for _, tt := range []struct {
		name   string
		before []string
		answer []string
		want   bool
	}{
		{"good", nil, []string{good}, false},
		{"nothing", nil, nil, false},
		{"broken from the start", nil, []string{broken, groupItem(2, "broken")}, true},
		{"broken later", []string{good, groupItem(2, "good")}, []string{broken, groupItem(2, "broken")}, true},
		{"without uuids", nil, []string{keyless, groupItem(2, "keyless")}, true},
		{"some of each", nil, []string{keyless, broken, groupItem(2, "broken")}, true},
		{"broken one after the other", []string{broken, groupItem(2, "good")}, []string{broken, groupItem(2, "broken")}, true},
		{"one is good", nil, []string{broken, groupItem(2, "good"), groupItem(3, "broken")}, false},
		{"one without change", []string{groupItem(2, "good")}, []string{broken, groupItem(2, "good")}, false},
		{"twice in an answer", nil, []string{good, groupItem(1, "better")}, false},
		{"twice as it is", nil, []string{good, good}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, store *db.Store) {
				r := newRig(t, store, rapisim.Options{VMs: 1, Nodes: 1}, "prod")
				r.answerGroups(tt.before...)
				r.once()
				r.answerGroups(tt.answer...)
				for i := range 4 {
					if i == 2 {
						r.restart()
					}
					res := r.once()
					must(t, res.Err())
					groups, _ := res.Of(db.KindGroup)
					if got := slices.Contains(res.Unreadable(), db.KindGroup); got != tt.want || got != (groups.Unreadable != "") {
						t.Errorf("answer %d: unreadable: %t (%s), want %t", i, got, groups.Unreadable, tt.want)
					}
					if len(res.Unreadable()) > 1 {
						t.Errorf("unreadable: %v", res.Unreadable())
					}
				}
				r.answerGroups(good, groupItem(2, "good"))
				if res := r.once(); len(res.Unreadable()) > 0 || res.Err() != nil {
					t.Errorf("mended: unreadable: %v, %v", res.Unreadable(), res.Err())
				}
			})
		})
	}
}

// The same holds after whatever answers came before, in one process or several.
func TestOnce_UnreadableAfterAnyAnswers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 1, Nodes: 1}, "prod")
		rnd := rand.New(rand.NewPCG(7, 9))
		said := map[bool]int{}
		steps := 250
		if raceDetector {
			steps = 60
		}
		for step := range steps {
			if rnd.IntN(3) > 0 { // else the same answer again
				items, readable := drawGroups(rnd)
				r.answerGroups(items...)
				check(t, r, step, items, readable, said)
			} else {
				r.once()
			}
			if rnd.IntN(6) == 0 {
				r.restart()
			}
		}
		if said[true] < 20 || said[false] < 20 {
			t.Errorf("%d answers could not be read, %d could: too few", said[true], said[false])
		}
	})
}

// check holds an answer that comes three times against what is in it. Where removals are withheld the refresh fails anyway.
func check(t *testing.T, r *rig, step int, items []string, readable bool, said map[bool]int) {
	t.Helper()
	for again := range 3 {
		res := r.once()
		if res.Err() != nil {
			continue
		}
		want := len(items) > 0 && !readable
		if got := len(res.Unreadable()) > 0; got != want {
			t.Fatalf("step %d, answer %d: unreadable: %v, want %t; it is %s", step, again, res.Unreadable(), want, items)
		}
		said[want]++
	}
}

// drawGroups makes an answer of up to three objects, and says whether one of them can be read. Broken ones are more usual.
func drawGroups(rnd *rand.Rand) (items []string, readable bool) {
	states := []string{"good", "better", "broken", "worse", "broken", "worse", "keyless", "absent", "absent"}
	for object := range 3 {
		state := states[rnd.IntN(len(states))]
		if state == "absent" {
			continue
		}
		readable = readable || state == "good" || state == "better"
		items = append(items, groupItem(object+1, state))
	}
	return items, readable
}
