package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// rig is everything that one shape is measured with.
type rig struct {
	options

	folder  string
	out     io.Writer // takes a line for each case that is done
	server  *server
	world   *world
	dump    dump
	entries []entry
}

// seeded is the database that the others are copies of: the tables, and a row for each cluster.
const seeded = "seeded"

// newRig starts the clusters and makes the systems; none of them runs yet.
func newRig(ctx context.Context, o options, s *server, folder string, sh shape, out io.Writer) (r *rig, err error) {
	r = &rig{options: o, folder: filepath.Join(folder, sh.key()), server: s, out: out}
	if err := os.Mkdir(r.folder, 0o700); err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	r.dump = dump{r.folder}
	if r.world, err = newWorld(ctx, r.folder, sh); err != nil {
		return nil, err
	}
	if err := errors.Join(r.seed(ctx), r.build(ctx)); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// seed makes the template, and the dump of what the updater makes of the clusters.
func (r *rig) seed(ctx context.Context) error {
	empty := &postgresStore{server: r.server, name: seeded}
	loaded := &postgresStore{server: r.server, name: "loaded", template: seeded}
	prepare := func(s *postgresStore, use func(u *updaterSystem) error) error {
		u, err := newUpdater(r.folder, r.updater, s.name, r.world, s)
		if err != nil {
			return err
		}
		return errors.Join(u.reset(ctx), u.start(ctx), use(u), u.close())
	}
	// The updater makes the tables and the clusters' rows when it starts.
	if err := prepare(empty, func(*updaterSystem) error { return nil }); err != nil {
		return err
	}
	return prepare(loaded, func(u *updaterSystem) error {
		if _, err := u.round(ctx); err != nil {
			return err
		}
		return r.dump.write(ctx, loaded)
	})
}

func (r *rig) close() error {
	var errs []error
	for _, e := range r.entries {
		errs = append(errs, e.close())
	}
	return errors.Join(append(errs, r.world.close())...)
}

// run measures the cases that are chosen.
func (r *rig) run(ctx context.Context) (results []result, err error) {
	if !slices.ContainsFunc(r.chosen, func(c benchCase) bool { return c.fresh }) {
		if err := r.load(ctx); err != nil {
			return nil, err
		}
	}
	for _, c := range r.chosen {
		some, err := r.measure(ctx, c)
		if err != nil {
			return results, fmt.Errorf("%s, %s: %w", r.world.shape, c.title, err)
		}
		results = append(results, some...)
		fmt.Fprintf(r.out, "%s, %s: done\n", r.world.shape, c.title)
	}
	return results, nil
}

// load brings every system to where the first load would leave it.
func (r *rig) load(ctx context.Context) error {
	for _, e := range r.entries {
		if e.always {
			continue
		}
		if err := errors.Join(e.reset(ctx), e.start(ctx)); err != nil {
			return err
		}
		if _, err := r.round(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// measure does the runs of a case. Each run begins with another system, so that what one leaves behind in caches and in
// the background does not always meet the same other.
func (r *rig) measure(ctx context.Context, c benchCase) ([]result, error) {
	var results []result
	for _, e := range r.entries {
		if e.joins == nil || slices.Contains(e.joins, c.key) {
			results = append(results, result{shape: r.world.shape, of: c, entry: e})
		}
	}
	for run := range r.runsOf(c) {
		if err := r.change(ctx, c.order); err != nil {
			return nil, err
		}
		for i := range results {
			one := &results[(i+run)%len(results)]
			if one.entry.runs > 0 && run >= one.entry.runs {
				continue
			}
			spent, err := r.one(ctx, c, one.entry)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", one.entry.title, err)
			}
			one.costs = append(one.costs, spent)
		}
		if err := r.undo(ctx, c, results); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// large is the number of VMs from which on the rounds that write all rows are measured less often.
const large = 50_000

// runsOf is how often a case is measured.
func (r *rig) runsOf(c benchCase) int {
	if c.cold && r.world.shape.total() >= large {
		return min(r.runs, 3)
	}
	return r.runs
}

// change has the simulator change something, and its answers made, so that no system pays for that.
func (r *rig) change(ctx context.Context, order string) error {
	if order == "" {
		return nil
	}
	if err := r.world.order(order); err != nil {
		return err
	}
	return r.warm(ctx)
}

func (r *rig) warm(ctx context.Context) error {
	_, err := newDownloader(r.world.site).round(ctx)
	return err
}

// undo changes the clusters back, and has the systems follow.
func (r *rig) undo(ctx context.Context, c benchCase, results []result) error {
	if c.undo == "" {
		return nil
	}
	if err := r.change(ctx, c.undo); err != nil {
		return err
	}
	for _, one := range results {
		if one.entry.always {
			continue
		}
		if _, err := r.round(ctx, one.entry); err != nil {
			return fmt.Errorf("%s: %w", one.entry.title, err)
		}
	}
	return nil
}

// one measures one round of one system.
func (r *rig) one(ctx context.Context, c benchCase, e entry) (cost, error) {
	if c.fresh || e.always {
		if err := errors.Join(e.close(), e.reset(ctx)); err != nil {
			return cost{}, err
		}
	}
	if c.fresh || e.always || c.restarted {
		if err := e.start(ctx); err != nil {
			return cost{}, err
		}
	}
	return r.round(ctx, e)
}

// round does a round, and makes sure that the database then says what the clusters say.
func (r *rig) round(ctx context.Context, e entry) (cost, error) {
	before, err := r.server.walPosition(ctx)
	if err != nil {
		return cost{}, err
	}
	spent, err := e.round(ctx)
	if err != nil {
		return spent, err
	}
	after, err := r.server.walPosition(ctx)
	if err != nil {
		return spent, err
	}
	if e.logged {
		spent.wal = after - before
	}
	got, known, err := e.facts(ctx)
	if err != nil || !known {
		return spent, err
	}
	truth, err := r.world.truth()
	if err != nil {
		return spent, err
	}
	return spent, compare(truth, got)
}
