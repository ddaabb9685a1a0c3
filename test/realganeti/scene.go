package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// patience bounds each wait for the updaters. A hung luxid costs them the 35 s of first_byte; the rest is for a busy
	// machine.
	patience  = 4 * time.Minute
	lookAgain = 200 * time.Millisecond
)

// step is one thing that happens to the cluster.
type step struct {
	name string
	// play makes it happen and says, through the scene, what must be seen.
	play func(ctx context.Context, s *scene) error
	// mayFail are the reasons for which refreshes may fail meanwhile; anywhere else none may.
	mayFail []string
}

// scene is one step while it is played.
type scene struct {
	*trial

	step    step
	begun   time.Time
	offsets []int64 // where each updater's log stood
	out     outcome
}

// outcome is a line of the final table.
type outcome struct {
	name                                            string
	refreshes, failed, fields, hiccups              int
	differences, moved, tombstones, changes, others []string
	took                                            time.Duration
	// recovered is how long after the end of an outage everything was fresh again; zero where there was none.
	recovered time.Duration
}

// losses are all that may not be.
func (o outcome) losses() []string {
	var all []string
	for _, l := range [][]string{o.differences, o.moved, o.tombstones, o.changes, o.others} {
		all = append(all, l...)
	}
	return all
}

// run plays the step and counts.
func (s *scene) run(ctx context.Context) outcome {
	s.begun, s.out = time.Now(), outcome{name: s.step.name}
	for _, c := range s.caches {
		_, end, err := c.refreshesAfter(0)
		s.fail(err)
		s.offsets = append(s.offsets, end)
	}
	s.fail(s.step.play(ctx, s))
	for i, c := range s.caches {
		r, _, err := c.refreshesAfter(s.offsets[i])
		s.fail(err)
		s.out.refreshes += r.good
		s.out.failed += r.countFailed()
		for reason, times := range r.failed {
			if !slices.Contains(s.step.mayFail, reason) {
				s.fail(fmt.Errorf("%s: %d refreshes failed with %q", c.name, times, reason))
			}
		}
	}
	s.out.took = time.Since(s.begun)
	return s.out
}

func (s *scene) fail(err error) {
	if err != nil {
		s.out.others = append(s.out.others, err.Error())
	}
}

// agree waits until every database has what RAPI says, compares, and checks the changes since the last look: each of
// want exactly once, and none of a VM that want does not name.
func (s *scene) agree(ctx context.Context, wants ...want) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last answers
	for from := time.Now(); ; {
		looks, err := s.looksAfter(limited, from)
		if err != nil {
			return err
		}
		all, err := ask(limited, s.rapi)
		if err != nil {
			return err
		}
		// A difference only counts when RAPI said the same before and after the refresh that the databases show;
		// otherwise the cluster moved while we looked.
		if all.same(last) || !slices.ContainsFunc(looks, all.differ) {
			for i, c := range s.caches {
				s.judge(c, all, looks[i], wants)
			}
			return nil
		}
		last, from = all, time.Now()
	}
}

// looksAfter waits until every kind of every database was refreshed by requests begun after a moment.
func (s *scene) looksAfter(ctx context.Context, after time.Time) ([]record, error) {
	looks := make([]record, len(s.caches))
	errs := make([]error, len(s.caches))
	var all sync.WaitGroup
	for i, c := range s.caches {
		all.Go(func() { looks[i], errs[i] = c.lookAfter(ctx, after) })
	}
	all.Wait()
	return looks, errors.Join(errs...)
}

func (c *cache) lookAfter(ctx context.Context, after time.Time) (record, error) {
	return c.lookUntil(ctx, func(r record) string {
		for _, k := range kinds() {
			if a := r.ages[k.name]; !a.refreshed.After(after) {
				return fmt.Sprintf("kind %s is of %s, error %q", k.name, a.refreshed.Format(time.TimeOnly), a.reason)
			}
		}
		return ""
	})
}

// lookUntil looks until nothing is missing any more.
func (c *cache) lookUntil(ctx context.Context, missing func(record) string) (record, error) {
	for {
		r, err := c.store.look(ctx, c.ledger.cursor)
		if err != nil {
			return r, fmt.Errorf("%s: %w", c.name, err)
		}
		lacks := missing(r)
		if lacks == "" {
			return r, nil
		}
		if pause(ctx, lookAgain) != nil {
			return r, fmt.Errorf("%s: waited long enough: %s", c.name, lacks)
		}
	}
}

func (s *scene) judge(c *cache, all answers, look record, wants []want) {
	found := compare(all, look.rows)
	s.out.fields += found.fields
	v := c.ledger.follow(look)
	tag := func(into *[]string, texts []string) {
		for _, text := range texts {
			*into = append(*into, c.name+": "+text)
		}
	}
	tag(&s.out.differences, found.differences)
	tag(&s.out.tombstones, found.tombstones)
	tag(&s.out.moved, v.moved)
	tag(&s.out.changes, v.changes)
	wrong, hiccups := check(wants, look.changes)
	tag(&s.out.changes, wrong)
	s.out.hiccups += hiccups
	if look.quarantined > 0 {
		s.fail(fmt.Errorf("%s: %d items are in quarantine", c.name, look.quarantined))
	}
}

// outage makes trouble, waits until every database says so, checks that nothing else moved, ends the trouble and waits
// until everything is fresh again.
func (s *scene) outage(ctx context.Context, reason string, begin, end func() error) error {
	if err := s.afterRefresh(ctx); err != nil {
		return err
	}
	before := make([]record, len(s.caches))
	for i, c := range s.caches {
		var err error
		if before[i], err = c.store.look(ctx, c.ledger.cursor); err != nil {
			return err
		}
	}
	err := begin()
	if err == nil {
		began := time.Now()
		err = s.markedOld(ctx, reason, began, before)
	}
	if err := errors.Join(err, end()); err != nil {
		return err
	}
	ended := time.Now()
	if err := s.agree(ctx); err != nil {
		return err
	}
	s.out.recovered = time.Since(ended)
	return nil
}

// afterRefresh waits for the end of a refresh, so that the trouble comes between two of them.
func (s *scene) afterRefresh(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := s.looksAfter(limited, time.Now())
	return err
}

// markedOld waits until every kind carries the reason. Then no row may have moved, and no kind may be fresher than the
// trouble is old.
func (s *scene) markedOld(ctx context.Context, reason string, began time.Time, before []record) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i, c := range s.caches {
		r, err := c.lookUntil(limited, func(r record) string {
			for _, k := range kinds() {
				if a := r.ages[k.name]; a.reason != reason {
					return fmt.Sprintf("kind %s has the reason %q, not %q", k.name, a.reason, reason)
				}
			}
			return ""
		})
		if err != nil {
			return err
		}
		for _, k := range kinds() {
			if refreshed := r.ages[k.name].refreshed; refreshed.After(began) {
				s.fail(fmt.Errorf("%s: kind %s calls itself fresh as of %s, RAPI has not answered since %s",
					c.name, k.name, refreshed.Format(time.TimeOnly), began.UTC().Format(time.TimeOnly)))
			}
		}
		for _, text := range unchanged(before[i].rows, r.rows) {
			s.out.differences = append(s.out.differences, c.name+": during the outage: "+text)
		}
	}
	return nil
}
