package db_test

import (
	"errors"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// What is decoded beside the transaction reaches its caller as if it were decoded in it: a panic, and an early end, which
// leaves no goroutine behind.
func TestApply_ItemsAhead(t *testing.T) {
	s := dbtest.SQLite(t)
	id := oneCluster(t, s)
	vm := func(i int) db.Item {
		return db.Item{Row: &db.VM{Object: db.Object{UUID: strconv.Itoa(i), Name: "vm" + strconv.Itoa(i), Info: db.JSON(`{}`)}}}
	}
	t.Run("panic", func(t *testing.T) {
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
		defer func() {
			if p := recover(); p != "broken item" {
				t.Errorf("recovered %v", p)
			}
		}()
		_, err := s.Apply(t.Context(), db.Snapshot{ClusterID: id, Kind: db.KindVM, Changed: func(yield func(db.Item) bool) {
			for i := range 250 {
				yield(vm(i))
			}
			panic("broken item")
		}})
		t.Errorf("Apply came back: %v", err)
	})
	t.Run("error", func(t *testing.T) {
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
		_, err := s.Apply(t.Context(), db.Snapshot{ClusterID: id, Kind: db.KindVM, Changed: func(yield func(db.Item) bool) {
			for i := 0; yield(vm(i)); i++ {
				if i == 50 && !yield(db.Item{Row: &db.Node{}}) {
					return
				}
			}
		}})
		if err == nil || errors.Is(err, db.ErrConflict) {
			t.Errorf("a row of another kind gives %v", err)
		}
	})
	var rows int
	if err := s.Writer().GetContext(t.Context(), &rows, "SELECT count(*) FROM virtual_machines"); err != nil || rows != 0 {
		t.Errorf("%d rows are there, %v", rows, err)
	}
}
