package updater_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zapcore"

	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

// TestRefresh_FailuresRemoveNothing is rule 1 of the design: whatever a cluster answers in trouble, no row is lost, the
// error is where operators look, and other clusters do not notice.
func TestRefresh_FailuresRemoveNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		fault  rapisim.Fault
		reason string // or several, where the moment decides
	}{
		{"401", rapisim.Status(401), "unauthorized"},
		{"403", rapisim.Status(403).On("/2/instances"), "forbidden"},
		{"404", rapisim.Status(404).On("/2/instances"), "not_found"},
		{"500", rapisim.Status(500).On("/2/instances"), "status"},
		{"502", rapisim.Status(502), "status"},
		{"504", rapisim.Status(504).On("/2/instances"), "status"},
		{"refused", rapisim.Refuse(), "unreachable"},
		{"reset", rapisim.Reset(), "tls unreachable truncated"},
		{"hang before the answer", rapisim.Hang().On("/2/instances"), "timeout"},
		{"trickle", rapisim.Trickle(20).On("/2/instances"), "timeout"},
		{"cut body", rapisim.CutBody(1000).On("/2/instances"), "truncated"},
		{"cut at nothing", rapisim.CutBody(0).On("/2/instances"), "truncated"},
		{"longer than announced", rapisim.WrongLength(-100).On("/2/instances"), "truncated"},
		{"shorter than announced", rapisim.WrongLength(100).On("/2/instances"), "truncated"},
		{"HTML", rapisim.HTML(200).On("/2/instances"), "not_json"},
		{"an object instead of a list", rapisim.Body([]byte(`{"instances": []}`)).On("/2/instances"), "not_json"},
		{"an empty body", rapisim.Body(nil).On("/2/instances"), "not_json"},
		{"null", rapisim.Body([]byte("null\n")).On("/2/instances"), "not_json"},
		{"an empty list", rapisim.EmptyList().On("/2/instances"), "removals_withheld"},
		{"two lists", rapisim.Body([]byte("[][]")).On("/2/instances"), "not_json"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, store *db.Store) {
				r := newRig(t, store, rapisim.Options{VMs: 12}, "bad", "good")
				r.mustRefresh("bad")
				before, age := r.rows("bad"), r.freshness("bad", db.KindVM)
				r.servers["bad"].Hurt(tt.fault)
				if tt.reason == "timeout" {
					r.patience = 2 * time.Second
				}
				failed := r.refresh("bad")
				r.patience = time.Minute
				r.mustRefresh("good")

				if diff := cmp.Diff(before, r.rows("bad")); diff != "" {
					t.Errorf("rows changed (-before +after):\n%s", diff)
				}
				reason := updater.Reason(failed.Err())
				if !slices.Contains(strings.Fields(tt.reason), reason) {
					t.Errorf("reason = %q (%v), want %q", reason, failed.Err(), tt.reason)
				}
				f := r.freshness("bad", db.KindVM)
				if f.Error == "" || f.ErrorReason != reason || f.ConsecutiveFailures != 1 || !f.RefreshedAt.Equal(*age.RefreshedAt) {
					t.Errorf("freshness after the failure: %+v; want the error, and the old age", f)
				}
				if n := r.logs.FilterMessage("refresh failed").Len(); n != 1 {
					t.Errorf("the failure is in %d lines of the log, want 1", n)
				}
				r.servers["bad"].Heal()
				r.mustRefresh("bad")
				if f := r.freshness("bad", db.KindVM); f.Error != "" || f.ConsecutiveFailures != 0 {
					t.Errorf("freshness after it healed: %+v; want no error", f)
				}
			})
		})
	}
}

func TestRefresh_AnotherClusterBehindTheAddressChangesNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 12}, "prod")
		r.mustRefresh("prod")
		before, uuid := r.rows("prod"), r.sim().UUID()
		r.sim().SetUUID("00000000-1111-2222-3333-444444444444")
		must(t, r.sim().Remove(r.sim().Instances()[0].Name))
		for range 2 {
			res := r.refresh("prod")
			var other *updater.OtherClusterError
			if !errors.As(res.Err(), &other) || other.Want != uuid {
				t.Fatalf("error = %v, want an OtherClusterError that names %s", res.Err(), uuid)
			}
			if diff := cmp.Diff(before, r.rows("prod")); diff != "" {
				t.Errorf("rows changed (-before +after):\n%s", diff)
			}
			if n := r.servers["prod"].Count("/2/instances"); n != 1 {
				t.Errorf("the instances were asked for %d times, want only the first", n)
			}
			r.restart()
		}
	})
}

func TestRefresh_OneKindFailsTheOthersGoOn(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), rapisim.Options{VMs: 12}, "prod")
	r.servers["prod"].Hurt(rapisim.Status(500).On("/2/nodes"))
	res := r.refresh("prod")
	if k, _ := res.Of(db.KindNode); k.Err == nil {
		t.Error("the nodes did not fail")
	}
	if k, _ := res.Of(db.KindVM); k.Err != nil || k.Outcome.Created != 12 {
		t.Errorf("VMs: %v, %d created; want them refreshed", k.Err, k.Outcome.Created)
	}
}

func TestRefresh_ADeadClusterCostsOneTimeout(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), rapisim.Options{VMs: 12}, "prod")
	r.servers["prod"].Hurt(rapisim.Hang().On("/2/groups", "/2/nodes", "/2/networks", "/2/instances", "/2/jobs"))
	r.patience = 2 * time.Second
	res := r.refresh("prod")
	if got := r.servers["prod"].Total(); got != 2 {
		t.Errorf("%d requests, want the info and one that timed out", got)
	}
	for _, k := range []db.Kind{db.KindGroup, db.KindNode, db.KindNetwork, db.KindVM, db.KindJob} {
		if kr, _ := res.Of(k); updater.Reason(kr.Err) != "timeout" || r.freshness("prod", k).ErrorReason != "timeout" {
			t.Errorf("%ss: %v, in freshness %q; want the time-out for each", k, kr.Err, r.freshness("prod", k).ErrorReason)
		}
	}
}

func TestRefresh_DueKindsOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), rapisim.Options{VMs: 12}, "prod")
	r.mustRefresh("prod")
	// The moment at which the VMs are due, and with them all that has the same schedule.
	now := *r.freshness("prod", db.KindVM).NextDueAt
	want := []db.Kind{db.KindCluster}
	for _, k := range []db.Kind{db.KindGroup, db.KindNode, db.KindNetwork, db.KindVM, db.KindJob} {
		// Not the groups and networks, unless their quarter of an hour ends just then.
		if !r.freshness("prod", k).NextDueAt.After(now) {
			want = append(want, k)
		}
	}
	r.opts.Store = clockless{r.store}
	r.opts.Now = func() time.Time { return now }
	r.restart()
	res, err := r.u.Refresh(t.Context(), "prod", updater.RefreshOptions{})
	must(t, err)
	must(t, res.Err())
	var kinds []db.Kind
	for _, k := range res.Kinds {
		kinds = append(kinds, k.Kind)
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("kinds refreshed at the VMs' next tick (-want +got):\n%s", diff)
	}
}

func TestRefresh_DatabaseGoneIsNoRemoval(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), rapisim.Options{VMs: 12}, "prod")
	r.mustRefresh("prod")
	must(t, r.store.Close())
	if got := updater.Reason(r.refresh("prod").Err()); got != "database" {
		t.Errorf("reason = %q, want database", got)
	}
}

func TestRefresh_DryRunWritesNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 12}, "prod")
		dry := r.opts
		dry.DryRun = true
		r.mustRefresh("prod")
		gone := r.sim().Instances()[0].Name
		must(t, r.sim().Remove(gone))
		before, age := r.rows("prod"), r.freshness("prod", db.KindVM)
		u, err := updater.New(t.Context(), dry)
		must(t, err)
		for range 2 {
			res, err := u.Refresh(t.Context(), "prod", updater.RefreshOptions{All: true})
			must(t, err)
			must(t, res.Err())
			wantVMChanges(t, res, "removed vm "+gone)
		}
		if diff := cmp.Diff(before, r.rows("prod")); diff != "" {
			t.Errorf("rows changed (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(age, r.freshness("prod", db.KindVM)); diff != "" {
			t.Errorf("freshness changed (-before +after):\n%s", diff)
		}
	})
}

func TestRefresh_DryRunOfAnUnknownCluster(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), rapisim.Options{VMs: 12})
	s, err := rapisim.NewServer(rapisim.NewCluster(rapisim.Options{VMs: 12, Password: password}))
	must(t, err)
	t.Cleanup(s.Close)
	r.servers["new"] = s
	r.opts.Clusters, r.opts.DryRun = []updater.Cluster{r.cluster("new")}, true
	r.restart()
	res := r.mustRefresh("new")
	if vms, _ := res.Of(db.KindVM); vms.Outcome.Created != 12 {
		t.Errorf("a dry run would create %d VMs, want 12", vms.Outcome.Created)
	}
	if clusters, err := r.store.Clusters(t.Context()); err != nil || len(clusters) != 0 {
		t.Errorf("the dry run left %d clusters (%v), want none", len(clusters), err)
	}
}

func TestRefresh_AChangedPasswordIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), rapisim.Options{VMs: 12}, "prod")
	right := r.opts.Clusters[0].Settings
	current := ganeti.Secret("wrong")
	r.opts.Clusters[0].Settings = func() (ganeti.Settings, error) {
		s, err := right()
		s.Password = current
		return s, err
	}
	r.restart()
	if got := updater.Reason(r.refresh("prod").Err()); got != "unauthorized" {
		t.Fatalf("reason with a wrong password = %q, want unauthorized", got)
	}
	current = password
	r.mustRefresh("prod")
	clusters, err := r.store.Clusters(t.Context())
	must(t, err)
	s, err := right()
	must(t, err)
	want, err := r.opts.Hash(s)
	must(t, err)
	if clusters[0].CredentialsHash != want {
		t.Error("the credentials hash in the database is not that of the new password")
	}
}

func TestRefresh_ThePasswordIsNowhere(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.Store) {
		r := newRig(t, store, rapisim.Options{VMs: 12}, "prod")
		r.mustRefresh("prod")
		for _, f := range []rapisim.Fault{rapisim.Status(401), rapisim.Status(403), rapisim.Refuse(), rapisim.Garbage(), rapisim.HTML(200), rapisim.NoTLS()} {
			r.servers["prod"].Hurt(f)
			r.refresh("prod")
			r.servers["prod"].Heal()
		}
		for _, line := range r.logs.All() {
			enc := zapcore.NewJSONEncoder(zapcore.EncoderConfig{})
			text, err := enc.EncodeEntry(line.Entry, line.Context)
			must(t, err)
			if strings.Contains(text.String(), password) {
				t.Errorf("the log has the password: %s", text)
			}
		}
		for table, text := range dump(t, store) {
			if strings.Contains(text, password) {
				t.Errorf("table %s has the password", table)
			}
		}
	})
}

// dump gives every table as text.
func dump(t *testing.T, store *db.Store) map[string]string {
	t.Helper()
	tables := map[string]string{}
	for _, name := range []string{"clusters", "virtual_machines", "nodes", "freshness", "changes", "quarantine"} {
		rows, err := store.DB().QueryxContext(t.Context(), "SELECT * FROM "+name)
		must(t, err)
		var b strings.Builder
		for rows.Next() {
			values, err := rows.SliceScan()
			must(t, err)
			for _, v := range values {
				if raw, ok := v.([]byte); ok {
					v = string(raw)
				}
				if s, ok := v.(string); ok {
					b.WriteString(s + "\n")
				}
			}
		}
		must(t, rows.Err())
		must(t, rows.Close())
		if name == "clusters" && !strings.Contains(b.String(), "prod") {
			t.Fatal("the dump does not even have the cluster's name")
		}
		tables[name] = b.String()
	}
	return tables
}

// blockingStore holds an apply until it is told to go on.
type blockingStore struct {
	updater.Store

	reached chan struct{}
}

func (s blockingStore) Apply(ctx context.Context, _ db.Snapshot) (db.Outcome, error) {
	close(s.reached)
	<-ctx.Done()
	return db.Outcome{}, ctx.Err()
}

func TestRun_AbandonsAnApplyAndLeavesNothingHalfDone(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), rapisim.Options{VMs: 12}, "prod")
	reached := make(chan struct{})
	r.opts.Store, r.opts.Grace = blockingStore{r.store, reached}, time.Millisecond
	r.restart()
	stop := start(t, r.u)
	<-reached
	stop()
	if rows := r.rows("prod"); len(rows) != 0 {
		t.Errorf("%d rows after an apply that was abandoned, want none", len(rows))
	}
	if f, err := r.store.Freshness(t.Context(), 1); err != nil || f[db.KindVM].Error != "" {
		t.Errorf("freshness = %+v (%v): the end of the process is no failure of the cluster", f[db.KindVM], err)
	}
}
