package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"ganeticache/db"
)

// lease is how long a replica's clusters stay its own in this part of the trial, and the schedule is every second.
const lease = 2 * time.Second

// waiting bounds each wait for something that the replicas do by themselves.
const waiting = time.Minute

// The application names by which the sessions of the two replicas are told apart.
const (
	sleeper = "sleeper"
	heir    = "heir"
)

// freezer stops replicas in the middle of an apply, for longer than their lease, and wakes them: they must write nothing.
// It needs PostgreSQL, where several replicas share the clusters.
type freezer struct {
	*trial

	pg *postgres
}

func (f *freezer) run(ctx context.Context) error {
	for range f.o.freezes {
		if err := f.round(ctx); err != nil {
			return fmt.Errorf("freeze %d: %w", f.s.freezes+1, err)
		}
	}
	return nil
}

// round freezes one replica of two, lets the other take over and the clusters change, and wakes the first.
func (f *freezer) round(ctx context.Context) (err error) {
	if err := f.beginAnew(ctx); err != nil {
		return err
	}
	a, err := f.daemon(ctx, sleeper)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.terminate()) }()
	if err := f.until(ctx, "the first load", f.equal); err != nil {
		return err
	}
	b, err := f.daemon(ctx, heir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.terminate()) }()
	if err := f.until(ctx, "both replicas have clusters", f.shared(2)); err != nil {
		return err
	}
	if err := f.stopInside(ctx, a); err != nil {
		return err
	}
	if err := f.takeOver(ctx); err != nil {
		return errors.Join(err, a.signal(syscall.SIGCONT))
	}
	if err := f.wake(ctx, a); err != nil {
		return err
	}
	f.s.freezes++
	return nil
}

// daemon starts a replica whose sessions bear the name.
func (f *freezer) daemon(ctx context.Context, name string) (*process, error) {
	config, err := writeConfig(f.dir, f.url+"&application_name="+name, f.farm,
		fmt.Sprintf("lease: %s\nrefresh_budget: off\nschedules: {vm: %[2]q, node: %[2]q, group: %[2]q, network: %[2]q, job: %[2]q}\n", lease, "@every 1s"))
	if err != nil {
		return nil, err
	}
	return start(ctx, f.o.updater, "--config", config, "run")
}

// until waits until something is so.
func (f *freezer) until(ctx context.Context, what string, so func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, waiting)
	defer cancel()
	for {
		ok, err := so(ctx)
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, errors.Join(err, ctx.Err()))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// equal says whether the rows equal the clusters.
func (f *freezer) equal(ctx context.Context) (bool, error) {
	wrong, err := f.differ(ctx)
	return err == nil && len(wrong) == 0, err
}

func (f *freezer) differ(ctx context.Context) ([]string, error) {
	st, err := f.look(ctx)
	if err != nil {
		return nil, err
	}
	truth, err := readTruth(ctx, f.farm)
	if err != nil {
		return nil, err
	}
	return differences(st, truth, func(object) bool { return true }), nil
}

// shared says whether the leases are with so many replicas.
func (f *freezer) shared(replicas int) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		var n int
		err := f.ask(ctx, &n, "SELECT count(DISTINCT holder) FROM leases WHERE holder <> ''")
		return n == replicas, err
	}
}

// ask reads one value from the trial's database.
func (f *freezer) ask(ctx context.Context, value *int, query string) (err error) {
	store, err := db.Open(ctx, f.url, db.Options{MaxConns: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := store.DB().GetContext(ctx, value, query); err != nil {
		return fmt.Errorf("running %s: %w", query, err)
	}
	return nil
}

// stopInside changes the clusters until the replica could be stopped inside a transaction that writes.
func (f *freezer) stopInside(ctx context.Context, p *process) error {
	inside := func(ctx context.Context) (bool, error) { return f.pg.inside(ctx, sleeper) }
	for ctx.Err() == nil {
		if err := f.strike(ctx, halfOfAll); err != nil {
			return err
		}
		for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if ok, err := inside(ctx); err != nil || !ok {
				continue
			}
			time.Sleep(time.Duration(f.rng.IntN(100)) * time.Millisecond)
			if err := p.signal(syscall.SIGSTOP); err != nil {
				return err
			}
			// What the server was doing for it comes to its end.
			time.Sleep(100 * time.Millisecond)
			if ok, err := inside(ctx); ok || err != nil {
				return err
			}
			if err := p.signal(syscall.SIGCONT); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// takeOver lets the clusters change once more and waits until the other replica has everything.
func (f *freezer) takeOver(ctx context.Context) error {
	began := time.Now()
	if err := f.strike(ctx, halfOfAll); err != nil {
		return err
	}
	if err := f.until(ctx, "the other replica has all leases", f.shared(1)); err != nil {
		return err
	}
	if err := f.until(ctx, "the other replica has stored everything", f.equal); err != nil {
		return err
	}
	f.s.slowest = max(f.s.slowest, time.Since(began))
	return nil
}

// wake wakes the replica and watches what it does. The clusters do not change meanwhile, so that every write of rows is
// one of what it had in hand.
func (f *freezer) wake(ctx context.Context, p *process) error {
	var before, after int
	const newest = "SELECT coalesce(max(id), 0) FROM changes"
	if err := f.ask(ctx, &before, newest); err != nil {
		return err
	}
	if err := p.signal(syscall.SIGCONT); err != nil {
		return err
	}
	for deadline := time.Now().Add(lease); time.Now().Before(deadline); {
		wrong, err := f.differ(ctx)
		if err != nil {
			return err
		}
		for _, why := range wrong {
			f.s.findf(&f.s.woken, "after waking: %s", why)
		}
	}
	if err := f.ask(ctx, &after, newest); err != nil {
		return err
	}
	if after != before {
		f.s.findf(&f.s.woken, "%d changes were recorded after waking, while nothing changed", after-before)
	}
	var old int
	err := f.ask(ctx, &old, "SELECT count(*) FROM freshness f JOIN leases l USING (cluster_id) WHERE f.lease_token > l.token")
	if err != nil {
		return err
	}
	if old > 0 {
		f.s.findf(&f.s.woken, "%d stamps carry a token that no lease has had yet", old)
	}
	if err := f.until(ctx, "the woken replica has its part again", f.shared(2)); err != nil {
		return err
	}
	if err := f.strike(ctx, few); err != nil {
		return err
	}
	if err := f.until(ctx, "both work again", f.equal); err != nil {
		return err
	}
	return f.judge(ctx)
}
