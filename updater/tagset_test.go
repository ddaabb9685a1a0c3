package updater_test

import (
	"slices"
	"testing"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

func vmChanges(res updater.Result) []db.Change {
	for _, k := range res.Kinds {
		if k.Kind == db.KindVM {
			return k.Outcome.Changes
		}
	}
	return nil
}

// TestRefresh_TagsAreASet: the same tags in another order are no change; others are, whatever their order.
func TestRefresh_TagsAreASet(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		t.Helper()
		r := newRig(t, store, rapisim.Options{VMs: 3, Nodes: 2}, "prod")
		name := r.sim().Instances()[0].Name
		tags := []string{"b", "a", "c"}
		must(t, r.sim().Retag(name, tags...))
		r.mustRefresh("prod")
		for range 2 { // with what the process remembers, and without
			slices.Reverse(tags)
			must(t, r.sim().Retag(name, tags...))
			for _, c := range vmChanges(r.mustRefresh("prod")) {
				for _, field := range []string{"tags", "/tags"} {
					if told, ok := c.Fields[field]; ok {
						t.Errorf("another order is told of as %s: %v", field, told)
					}
				}
			}
			r.restart()
		}
		must(t, r.sim().Retag(name, "c", "b"))
		told := vmChanges(r.mustRefresh("prod"))
		if len(told) != 1 {
			t.Fatalf("a tag that went is told as %v", told)
		}
		if _, ok := told[0].Fields["tags"]; !ok {
			t.Errorf("a tag that went is told as %v", told)
		}
	})
}
