// Command failover is the trial of a database that fails over. Two PostgreSQL servers replicate synchronously; an updater
// that knows both keeps ten living clusters; under that load the primary is killed and the standby promoted, again and again.
// At the end a table says what was lost, and the exit code is 1 if anything was.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"ganeticache/db"
	"ganeticache/ganeti/rapisim"
)

// subject is who all grants of the trial are for.
const subject = "trial"

func main() {
	length := flag.Duration("for", time.Minute, "how long the servers fail")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "decides what the clusters do and when the servers fail")
	program := flag.String("updater", "bin/updater", "the program on trial")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	t := &trial{seed: *seed, rng: rand.New(rand.NewPCG(*seed, 0)), lasts: *length, program: *program}
	err := t.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "failover: %v\nseed %d\n", err, *seed)
		os.Exit(1)
	}
}

// trial is one run.
type trial struct {
	seed    uint64
	rng     *rand.Rand
	lasts   time.Duration
	program string

	dir              string
	primary, standby *server
	truth            *truth
	updater          *updater
	stopLiving       func()
	// ids are those of all VMs that were seen.
	ids    map[string]int64
	grants int
	// recovery is the time from each promotion until every cluster was fresh again.
	recovery []time.Duration
}

func (t *trial) run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "failover-")
	if err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // PostgreSQL runs as another user, in a directory below
		return fmt.Errorf("making a directory: %w", err)
	}
	t.dir = dir
	if t.primary, err = newServer(ctx, dir, "a"); err != nil {
		return err
	}
	defer t.primary.close()
	if t.standby, err = newServer(ctx, dir, "b"); err != nil {
		return err
	}
	defer t.standby.close() // each as it is now: which is which changes
	defer t.end()
	if err := t.begin(ctx); err != nil {
		return err
	}
	if err := t.fail(ctx); err != nil {
		return err
	}
	v, err := t.settle(ctx)
	if err != nil {
		return err
	}
	return t.report(v)
}

// begin starts the servers, the clusters and the updater, and waits for the first rows.
func (t *trial) begin(ctx context.Context) error {
	if err := t.primary.startPrimary(ctx); err != nil {
		return err
	}
	if err := t.primary.open(ctx, func(s *db.Store) error { return s.Migrate(ctx) }); err != nil {
		return err
	}
	if err := t.standby.follow(ctx, t.primary); err != nil {
		return err
	}
	farm, err := rapisim.NewFarm(10, rapisim.Options{Seed: t.seed, VMs: 50, KVMShare: 0.5, DRBDShare: 0.3})
	if err != nil {
		return err
	}
	t.truth, t.ids = &truth{farm: farm, removed: map[string]bool{}}, map[string]int64{}
	url := fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/postgres?target_session_attrs=read-write", t.primary.port, t.standby.port)
	if t.updater, err = startUpdater(ctx, t.program, t.dir, url, farm); err != nil {
		return err
	}
	start := time.Now()
	if err := t.awaitFresh(ctx, start); err != nil {
		return err
	}
	if err := t.grant(ctx); err != nil {
		return err
	}
	living, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { farm.Live(living, 3, t.truth.note); close(done) }()
	t.stopLiving = func() { stop(); <-done }
	return nil
}

// grant permits something on every cluster and on every third VM.
func (t *trial) grant(ctx context.Context) error {
	return t.primary.open(ctx, func(s *db.Store) error {
		have, err := rows(ctx, s)
		if err != nil {
			return err
		}
		for _, server := range t.truth.farm.Servers() {
			if _, err := s.Grant(ctx, db.Grant{Subject: subject, Permission: "view", Cluster: server.Cluster().Name()}); err != nil {
				return err
			}
			t.grants++
		}
		n := 0
		for _, r := range have {
			if n++; n%3 != 0 {
				continue
			}
			if _, err := s.Grant(ctx, db.Grant{Subject: subject, Permission: "start", Cluster: r.Cluster, VM: r.UUID}); err != nil {
				return err
			}
			t.grants++
		}
		return nil
	})
}

// fail kills one primary after the other.
func (t *trial) fail(ctx context.Context) error {
	end := time.Now().Add(t.lasts)
	for time.Now().Before(end) {
		if err := pause(ctx, 2*time.Second, 6*time.Second, t.rng); err != nil {
			return err
		}
		if err := t.remember(ctx); err != nil {
			return err
		}
		signal := []string{"KILL", "QUIT"}[t.rng.IntN(2)]
		if err := t.primary.tell(signal); err != nil {
			return err
		}
		if err := pause(ctx, 0, 3*time.Second, t.rng); err != nil {
			return err
		}
		if err := t.standby.promote(ctx); err != nil {
			return err
		}
		start := time.Now()
		t.primary, t.standby = t.standby, t.primary
		if err := t.awaitFresh(ctx, start); err != nil {
			return err
		}
		t.recovery = append(t.recovery, time.Since(start))
		fmt.Fprintf(os.Stderr, "%s: server %s killed (%s), %s promoted, all fresh after %v\n", start.Format(time.TimeOnly),
			t.standby.name, signal, t.primary.name, time.Since(start).Round(time.Millisecond))
		if err := t.standby.follow(ctx, t.primary); err != nil {
			return err
		}
	}
	return nil
}

// remember adds the ids that the database has now.
func (t *trial) remember(ctx context.Context) error {
	return t.primary.open(ctx, func(s *db.Store) error {
		have, err := rows(ctx, s)
		for uuid, r := range have {
			if _, seen := t.ids[uuid]; !seen {
				t.ids[uuid] = r.ID
			}
		}
		return err
	})
}

func (t *trial) awaitFresh(ctx context.Context, after time.Time) error {
	return t.primary.open(ctx, func(s *db.Store) error {
		err := await(ctx, time.Minute, func() error { return t.truth.fresh(ctx, s, after) })
		return errors.Join(err, t.updater.running())
	})
}

// settle lets the clusters stand still for one more refresh, and compares.
func (t *trial) settle(ctx context.Context) (verdict, error) {
	t.stopLiving()
	if err := t.awaitFresh(ctx, time.Now()); err != nil {
		return verdict{}, err
	}
	var v verdict
	err := t.primary.open(ctx, func(s *db.Store) (err error) {
		v, err = t.truth.judge(ctx, s, t.ids, t.grants)
		return err
	})
	return v, errors.Join(err, t.updater.stop())
}

// end stops what still runs.
func (t *trial) end() {
	if t.stopLiving != nil {
		t.stopLiving()
	}
	if t.updater != nil {
		t.updater.kill()
	}
	if t.truth != nil {
		t.truth.farm.Close()
	}
}

func (t *trial) report(v verdict) error {
	refreshed, err := t.updater.lines(`"msg":"refreshed`)
	if err != nil {
		return err
	}
	var longest time.Duration
	for _, d := range t.recovery {
		longest = max(longest, d)
	}
	w := table.NewWriter()
	w.SetOutputMirror(os.Stdout)
	w.AppendHeader(table.Row{"tried", "times", "lost"})
	w.AppendRows([]table.Row{
		{"promotions", len(t.recovery), ""},
		{"longest time from promotion to all clusters fresh", longest.Round(time.Millisecond), ""},
		{"refreshes", refreshed, ""},
		{"changes of the clusters", t.truth.changes, ""},
		{"VMs equal to the simulator's", v.vms, v.different + v.missing + v.surplus},
		{"VMs tombstoned", len(t.truth.removed), v.tombstoned},
		{"ids kept", len(t.ids), v.newIDs},
		{"grants kept", t.grants, v.grants},
		{"changes recorded once", v.changes, v.repeats},
	})
	w.Render()
	if v.lost() > 0 {
		return fmt.Errorf("%d lost", v.lost())
	}
	return nil
}

// pause waits for a random time.
func pause(ctx context.Context, from, to time.Duration, rng *rand.Rand) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(from + time.Duration(rng.Int64N(int64(to-from)))):
		return nil
	}
}
