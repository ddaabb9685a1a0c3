package db_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// occupy takes as many connections as the pool may have, and gives them back idle.
func occupy(t *testing.T, s *db.Store, n int) {
	t.Helper()
	var back []func() error
	for range n {
		back = append(back, must(s.Writer().Connx(t.Context()))(t).Close)
	}
	for _, giveBack := range back {
		if err := giveBack(); err != nil {
			t.Fatal(err)
		}
	}
}

// The server is restarted, crashes and is away: every statement fails by name meanwhile and quickly, and the first after it
// succeeds, though each connection in the pool is dead.
func TestStore_ServerRestarts(t *testing.T) {
	t.Parallel()
	server := dbtest.OwnServer(t)
	s := server.Open(db.Options{MaxConns: 8})
	id := oneCluster(t, s)
	apply(t, s, snapshot(id, 0, 5, 0))
	for _, down := range []func(){server.Stop, server.Kill} {
		occupy(t, s, 8)
		down()
		for range 3 {
			_, err := s.Clusters(t.Context())
			if db.TroubleOf(err) != db.TroubleUnavailable {
				t.Errorf("reading: %v", err)
			}
			generation := int64(1)
			if _, err := s.Apply(t.Context(), snapshot(id, generation, 5, 1)); db.TroubleOf(err) != db.TroubleUnavailable || errors.Is(err, db.ErrCommitUnknown) {
				t.Errorf("writing: %v", err)
			}
			if err := s.TouchFresh(t.Context(), id, nil, []db.Touch{{Kind: db.KindVM, StartedAt: time.Now()}}); db.TroubleOf(err) != db.TroubleUnavailable {
				t.Errorf("stamping: %v", err)
			}
		}
		server.Start()
		checkUsable(t, s, id)

		// A restart that nobody sees: the connections are dead, and no statement shows it.
		occupy(t, s, 8)
		down()
		server.Start()
		checkUsable(t, s, id)
		occupy(t, s, 8)
		down()
		server.Start()
		if _, err := s.Clusters(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// The connection ends in the middle of a snapshot, and another can be made.
func TestApply_ConnectionLostOnce(t *testing.T) {
	t.Parallel()
	s := dbtest.Postgres(t)
	id := oneCluster(t, s)
	killer := dbtest.Postgres(t)
	for generation, rows := range []int{3000, 5000} { // straight COPY, then by arrays
		var database string
		if err := s.DB().GetContext(t.Context(), &database, "SELECT current_database()"); err != nil {
			t.Fatal(err)
		}
		killed := 0
		snap := snapshot(id, int64(generation), rows, generation)
		whole := snap.Changed
		snap.Changed = func(yield func(db.Item) bool) {
			n := 0
			for item := range whole {
				if n++; n == 2000 && killed == 0 {
					killed++
					if _, err := killer.Writer().ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database); err != nil {
						t.Error(err)
					}
				}
				if !yield(item) {
					return
				}
			}
		}
		if out := apply(t, s, snap); out.RowsWritten == 0 || killed != 1 {
			t.Errorf("killed %d times: %+v", killed, out)
		}
	}
	checkUsable(t, s, id)
}

// Clusters with many changes at once take as many connections as there are, and one of them a second: they never wait for
// each other's.
func TestApply_FewConnections(t *testing.T) {
	t.Parallel()
	for _, conns := range []int{1, 2, 3, 5} {
		t.Run(strconv.Itoa(conns), func(t *testing.T) {
			t.Parallel()
			s := dbtest.PostgresWith(t, db.Options{MaxConns: conns})
			var settings []db.ClusterSettings
			for i := range 6 {
				settings = append(settings, db.ClusterSettings{Name: fmt.Sprintf("c%d", i), RAPIHost: "a.example.org", RAPIPort: 5080})
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var g errgroup.Group
			for _, c := range must(s.SyncClusters(ctx, settings))(t) {
				g.Go(func() error {
					for version := range 3 {
						out, err := s.Apply(ctx, snapshot(c.ID, int64(version), 600, version))
						if err != nil || out.RowsWritten != 600 {
							return fmt.Errorf("%s, version %d: %+v: %w", c.Name, version, out, err)
						}
						if _, err := s.Freshness(ctx, c.ID); err != nil {
							return err
						}
					}
					return nil
				})
			}
			if err := g.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A server that turns read-only under the same connections, as behind a proxy or an address that moves.
func TestStore_Standby(t *testing.T) {
	t.Parallel()
	server := dbtest.OwnServer(t)
	s := server.Open(db.Options{MaxConns: 3})
	id := oneCluster(t, s)
	apply(t, s, snapshot(id, 0, 5, 0))
	before := contents(t, s)
	server.Standby()
	if _, err := s.Clusters(t.Context()); err != nil {
		t.Errorf("reading from a standby: %v", err)
	}
	occupy(t, s, 3)
	_, err := s.Apply(t.Context(), snapshot(id, 1, 5, 1))
	if db.TroubleOf(err) != db.TroubleReadOnly {
		t.Errorf("writing to a standby: %v", err)
	}
	err = s.TouchFresh(t.Context(), id, nil, []db.Touch{{Kind: db.KindVM, StartedAt: time.Now(), Generation: 1}})
	if db.TroubleOf(err) != db.TroubleReadOnly {
		t.Errorf("stamping on a standby: %v", err)
	}
	if n := s.Writer().Stats().Idle; n > 1 {
		t.Errorf("%d connections to the standby are kept", n)
	}
	if diff := cmp.Diff(before, contents(t, s)); diff != "" {
		t.Error(diff)
	}
	server.Promote()
	checkUsable(t, s, id)
}

// Two servers, one of which takes writes: which one it is changes, and the store follows.
func TestOpen_SeveralHosts(t *testing.T) {
	t.Parallel()
	a, b := dbtest.OwnServer(t), dbtest.OwnServer(t)
	b.Standby()
	address := "postgres:///migrated?user=postgres&host=" + host(t, a) + "," + host(t, b)
	s := openURL(t, address)
	id := oneCluster(t, s)
	if got := directory(t, s); got != host(t, a) {
		t.Errorf("connected to %s, want the primary", got)
	}
	occupy(t, s, 5)
	a.Standby()
	_, err := s.Apply(t.Context(), snapshot(id, 0, 5, 0))
	if db.TroubleOf(err) != db.TroubleReadOnly || strings.Contains(err.Error(), "\n") {
		t.Errorf("no primary: %v", err)
	}
	a.Stop()
	if _, err := s.Apply(t.Context(), snapshot(id, 0, 5, 0)); db.TroubleOf(err) != db.TroubleUnavailable {
		t.Errorf("a standby and a server that is away: %v", err)
	}
	b.Promote()
	id = oneCluster(t, s) // these servers do not replicate
	if got := directory(t, s); got != host(t, b) {
		t.Errorf("connected to %s, want the one that was promoted", got)
	}
	checkUsable(t, s, id)

	// The server stays up and turns read-only for what its sessions do: no connection breaks, and none is kept.
	a.Start()
	a.Promote()
	b.Exec("ALTER SYSTEM SET default_transaction_read_only = on")
	b.Exec("SELECT pg_reload_conf()")
	awaitReadOnly(t, s)
	err = s.TouchFresh(t.Context(), id, nil, []db.Touch{{Kind: db.KindVM, StartedAt: time.Now(), Generation: 2}})
	if err != nil && db.TroubleOf(err) != db.TroubleNone {
		t.Errorf("stamping after a change of primary: %v", err)
	}
	if got := directory(t, s); got != host(t, a) {
		t.Errorf("connected to %s, want the one that takes writes", got)
	}
}

func host(t *testing.T, server *dbtest.Server) string {
	t.Helper()
	_, host, found := strings.Cut(server.URL, "host=")
	if !found {
		t.Fatal(server.URL)
	}
	return strings.ReplaceAll(host, "%2F", "/")
}

// directory tells servers apart.
func directory(t *testing.T, s *db.Store) string {
	t.Helper()
	var dir string
	if err := s.DB().GetContext(t.Context(), &dir, "SELECT regexp_replace(current_setting('data_directory'), '/data$', '')"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// awaitReadOnly returns when a session has heard that it is read-only.
func awaitReadOnly(t *testing.T, s *db.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for value := ""; value != "on"; {
		if err := s.DB().GetContext(ctx, &value, "SHOW transaction_read_only"); err != nil {
			t.Fatal(err)
		}
	}
}
