package updater_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

const planted = "pl4nted-s3cret"

// eachRemaking runs a test on both databases, whose rows can be made anew.
func eachRemaking(t *testing.T, test func(t *testing.T, s *db.Store)) {
	t.Helper()
	o := db.Options{Remake: updater.NewRemaker(nil)}
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); test(t, dbtest.SQLiteWith(t, o)) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); test(t, dbtest.PostgresWith(t, o)) })
}

// age makes all rows as an earlier version might have stored them: columns that it did not parse, secrets in the clear.
func (r *rig) age() {
	r.t.Helper()
	for _, statement := range []string{
		"UPDATE virtual_machines SET memory_mib = NULL, os = 'another', vcpus = 77",
		"UPDATE nodes SET cpus = NULL",
		"UPDATE jobs SET status = ''",
		plant(r.store, "virtual_machines", `{"osparams": {"root_pass": "`+planted+`"}}`),
		plant(r.store, "clusters", `{"osparams": {"debian": {"luks_key": "`+planted+`"}}}`),
		`INSERT INTO changes (cluster_id, kind, object_id, uuid, name, op, fields, observed_at)
SELECT id, 'vm', 1, 'u', 'n', 'updated', '{"custom_osparams": {"old": {"pass": "` + planted + `"}, "new": {"pass": "", "dhcp": "yes"}}, ` +
			`"/osparams/root_pw": {"old": "` + planted + `", "new": null}}', observed_at FROM clusters`,
		`INSERT INTO quarantine (cluster_id, kind, uuid, name, digest, reason, raw, observed_at)
SELECT id, 'vm', 'q', 'q', digest, 'r', '{"osparams": {"pwd": "` + planted + `", "x": 1}, "cut": "he', observed_at FROM clusters`,
		"DELETE FROM backfills",
	} {
		if _, err := r.store.Writer().ExecContext(r.t.Context(), statement); err != nil {
			r.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// plant gives a statement that adds keys to the info of a table.
func plant(s *db.Store, table, keys string) string {
	if s.Dialect() == "sqlite" {
		return "UPDATE " + table + " SET info = json_patch(info, '" + keys + "')"
	}
	return "UPDATE " + table + " SET info = info || '" + keys + "'"
}

// dump is everything in the tables, as text.
func (r *rig) dump() string {
	r.t.Helper()
	var b strings.Builder
	for _, table := range []string{
		"clusters", "virtual_machines", "nodes", "node_groups", "networks", "jobs", "changes", "quarantine", "freshness", "permissions",
	} {
		rows, err := r.store.DB().QueryxContext(r.t.Context(), "SELECT * FROM "+table+" ORDER BY 1, 2")
		if err != nil {
			r.t.Fatal(err)
		}
		for rows.Next() {
			values, err := rows.SliceScan()
			if err != nil {
				r.t.Fatal(err)
			}
			for _, v := range values {
				if text, ok := v.([]byte); ok {
					v = string(text)
				}
				fmt.Fprintf(&b, "%v|", v)
			}
			fmt.Fprintln(&b, table)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			r.t.Fatal(err)
		}
	}
	return b.String()
}

// backfill brings all rows up to date.
func backfill(t *testing.T, s *db.Store) (sum db.BackfillStep) {
	t.Helper()
	for range 10_000 {
		step, err := s.Backfill(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sum.Checked += step.Checked
		sum.Changed += step.Changed
		if step.Done {
			return sum
		}
	}
	t.Fatal("the backfill does not end")
	return sum
}

// entries counts those of changes.
func (r *rig) entries() int {
	r.t.Helper()
	var n []int
	r.query(&n, "SELECT count(*) FROM changes")
	return n[0]
}

// columns are those of all VMs, by uuid.
func (r *rig) columns() map[string]string {
	r.t.Helper()
	var rows []struct {
		UUID string `db:"uuid"`
		Text string `db:"text"`
	}
	r.query(&rows, "SELECT uuid, coalesce(os, '') || ' ' || coalesce(CAST(memory_mib AS TEXT), '') || ' ' || CAST(vcpus AS TEXT) || ' ' || "+
		"CAST(observed_at AS TEXT) AS text FROM virtual_machines")
	got := map[string]string{}
	for _, row := range rows {
		got[row.UUID] = row.Text
	}
	return got
}

func TestBackfill(t *testing.T) {
	t.Parallel()
	eachRemaking(t, func(t *testing.T, s *db.Store) {
		t.Helper()
		r := newRig(t, s, rapisim.Options{VMs: 600, Nodes: 5, Jobs: 20}, "prod")
		r.mustRefresh("prod")
		want := r.columns()
		r.age()
		entries := r.entries()
		sum := backfill(t, s)
		if sum.Changed < 600 {
			t.Errorf("%d rows were changed of more than 600", sum.Changed)
		}
		if diff := cmp.Diff(want, r.columns()); diff != "" {
			t.Errorf("columns after the backfill (-want +got):\n%s", diff)
		}
		if at := strings.Index(r.dump(), planted); at >= 0 {
			t.Errorf("a planted secret is still there: %.300s", r.dump()[max(0, at-200):])
		}
		if got := r.entries(); got != entries {
			t.Errorf("the backfill made %d entries in changes", got-entries)
		}
		if again := backfill(t, s); again.Checked != 0 {
			t.Errorf("a second run looked at %d rows", again.Checked)
		}
		res := r.mustRefresh("prod")
		for _, k := range res.Kinds {
			if n := k.Outcome.Created + k.Outcome.Updated + k.Outcome.Removed; n > 0 {
				t.Errorf("%s: %d changes after the backfill", k.Kind, n)
			}
		}
	})
}

func TestBackfill_ResumesAndSharesTheWork(t *testing.T) {
	t.Parallel()
	url := dbtest.PostgresURL(t)
	open := func() *db.Store {
		s, err := db.Open(t.Context(), url, db.Options{Remake: updater.NewRemaker(nil)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	s := open()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, s, rapisim.Options{VMs: 1500, Nodes: 5, Jobs: 20}, "prod")
	r.mustRefresh("prod")
	r.age()
	var first db.BackfillStep
	for range 4 { // and then the process dies
		step, err := s.Backfill(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		first.Changed += step.Changed
	}
	var sum [2]db.BackfillStep
	var both sync.WaitGroup
	for i := range sum {
		both.Go(func() { sum[i] = backfill(t, open()) })
	}
	both.Wait()
	var changed int64
	if err := s.DB().GetContext(t.Context(), &changed, "SELECT sum(changed) FROM backfills"); err != nil {
		t.Fatal(err)
	}
	if total := first.Changed + sum[0].Changed + sum[1].Changed; total != changed || total < 1500 {
		t.Errorf("%d rows were changed, %d are on record", total, changed)
	}
	if strings.Contains(r.dump(), planted) {
		t.Error("a planted secret is still there")
	}
}

// While rows are as an earlier version stored them, an answer differs from them in what the cluster changed, and in
// nothing else.
func TestBackfill_NoEntriesMeanwhile(t *testing.T) {
	t.Parallel()
	eachRemaking(t, func(t *testing.T, s *db.Store) {
		t.Helper()
		r := newRig(t, s, rapisim.Options{VMs: 20, Nodes: 5, Jobs: 20}, "prod")
		r.mustRefresh("prod")
		r.age()
		must(t, r.sim().Retag(r.sim().Instances()[0].Name, "new"))
		r.restart()
		res := r.mustRefresh("prod")
		for _, k := range res.Kinds {
			for _, c := range k.Outcome.Changes {
				for field := range c.Fields {
					// The record has parameters that the cluster never had: age planted them.
					if !slices.Contains([]string{"tags", "mtime", "serial_no", "/osparams"}, field) {
						t.Errorf("%s %s: %s is no change of the cluster", c.Kind, c.Name, field)
					}
					if told := fmt.Sprint(c.Fields[field]); strings.Contains(told, planted) {
						t.Errorf("%s %s: %s tells a secret: %s", c.Kind, c.Name, field, told)
					}
				}
			}
		}
	})
}

// TestBackfill_NothingOfBefore: what comes into a new database is of today, and is not walked through.
func TestBackfill_NothingOfBefore(t *testing.T) {
	t.Parallel()
	eachRemaking(t, func(t *testing.T, s *db.Store) {
		t.Helper()
		r := newRig(t, s, rapisim.Options{VMs: 20, Nodes: 2, Jobs: 3, Networks: 1}, "prod")
		r.opts.Backfill = s.Backfill
		r.restart()
		r.mustRefresh("prod")
		if sum := backfill(t, s); sum.Checked > 1 { // the cluster's own row was there first
			t.Errorf("%d rows of a new database were looked at", sum.Checked)
		}
	})
}
