package updater

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
	"go.uber.org/zap"
)

// Run keeps the clusters fresh until ctx ends, and returns nil then. Other replicas on the same database have their share
// of them; this one's that are due already are refreshed at once. When ctx ends no refresh begins any more; those under
// way have Options.Grace to finish, are then abandoned with nothing half applied, and Run returns when the last one has.
//
// The error is [db.ErrRefreshedElsewhere], on a database for one process, before anything is done.
func (u *Updater) Run(ctx context.Context) error {
	unclaim, err := u.claim(ctx)
	if err != nil {
		return err
	}
	defer unclaim()
	// The refreshes' own context outlives ctx by the grace.
	work, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	stopHeart := u.startHeart(ctx)
	defer stopHeart()
	var behind sync.WaitGroup
	behind.Go(func() { u.backfill(ctx) })
	defer behind.Wait()
	s := u.newScheduler(ctx, work)
	s.sync()
	s.beat()
	s.cron.Start()
	// Not by cron, which computes with the clock that may be set.
	watch := time.NewTicker(watchInterval)
	defer watch.Stop()
	for {
		select {
		case <-u.reloaded:
			s.sync()
			u.part.ask()
		case <-u.part.gained:
			s.take(u.part.news())
		case <-watch.C:
			if u.clock.watch() {
				s.sync()
			}
		case <-s.beats:
			u.beaten()
		case <-ctx.Done():
			return s.stop(abandon)
		}
	}
}

// startHeart takes this process's part of the clusters and keeps it until the returned function is called, after the last
// refresh. A first heartbeat that fails is no reason not to start: the next may not.
func (u *Updater) startHeart(ctx context.Context) (stop func()) {
	_ = u.part.beat(ctx, u) //nolint:errcheck // beat has logged it
	u.part.news()           // the scheduler begins with all of them
	heart, still := context.WithCancel(context.WithoutCancel(ctx))
	var beating sync.WaitGroup
	beating.Go(func() { u.part.run(heart, u) })
	return func() {
		still()
		beating.Wait()
		u.part.leave(context.WithoutCancel(ctx), u.opts.Store)
	}
}

// claim takes the right to refresh into the database; a dry run needs none. unclaim gives it back, and may always be
// called.
func (u *Updater) claim(ctx context.Context) (unclaim func(), err error) {
	if u.opts.DryRun {
		return func() {}, nil
	}
	release, err := u.opts.Store.Claim(ctx)
	if err != nil {
		return func() {}, err
	}
	return func() {
		if err := release(); err != nil {
			u.log.Warn("giving the database back failed; it is free when this process ends", zap.Error(err))
		}
	}, nil
}

// scheduler drives the refreshes of all clusters by cron. Only Run's goroutine uses it, the jobs aside.
type scheduler struct {
	u *Updater
	// begin ends when no refresh may begin any more; work, later, when running ones must stop.
	begin, work context.Context //nolint:containedctx // a cron job takes no argument; the scheduler lives as long as Run
	cron        *cron.Cron
	entries     map[string]cron.EntryID
	// first waits for the refreshes that were started outside of cron's own count.
	first sync.WaitGroup
	// beats carries the heartbeat from cron to Run's loop.
	beats chan struct{}
	// unpurged is why tombstones were last kept; only the purging job uses it.
	unpurged string
}

func (u *Updater) newScheduler(begin, work context.Context) *scheduler {
	l := cronLogger{u.log}
	s := &scheduler{
		u: u, begin: begin, work: work, entries: map[string]cron.EntryID{}, beats: make(chan struct{}, 1),
		// Recover inside Skip: version 3.0.1 of the library does not free Skip's slot when a panic passes through it.
		cron: cron.New(cron.WithLogger(l), cron.WithChain(cron.SkipIfStillRunning(l), cron.Recover(l))),
	}
	if u.opts.Retention > 0 || u.opts.RetentionChanges >= 0 {
		s.cron.Schedule(steady{spread(cron.Every(purgeInterval), "purge"), u.now}, cron.FuncJob(s.purge))
	}
	return s
}

// sync makes the entries equal to the configured clusters, and starts what is due. Every entry is made anew: a schedule
// may have changed, and a refresh that runs goes on undisturbed.
func (s *scheduler) sync() {
	select {
	case <-s.u.reloaded: // what it announces is being done
	default:
	}
	for name, id := range s.entries {
		s.cron.Remove(id)
		delete(s.entries, name)
	}
	names := s.u.Names()
	for _, name := range names {
		t, err := s.u.target(name)
		if err != nil {
			continue // gone again in a newer reload, which follows
		}
		s.entries[name] = s.cron.Schedule(paced{t.plan, &t.held, s.u.now}, cron.FuncJob(func() { s.refresh(name) }))
	}
	s.start(names)
}

// start runs the entries of these clusters now.
func (s *scheduler) start(names []string) {
	for _, queue := range s.u.queues(names) {
		var jobs []cron.Job
		for _, name := range queue {
			if id, ok := s.entries[name]; ok {
				jobs = append(jobs, s.cron.Entry(id).WrappedJob)
			}
		}
		s.first.Go(func() {
			for _, job := range jobs {
				job.Run()
			}
		})
	}
}

// take starts what is due of clusters that have just come to this replica.
func (s *scheduler) take(came map[int64]bool) {
	s.start(slices.DeleteFunc(s.u.Names(), func(name string) bool {
		t, err := s.u.target(name)
		return err != nil || !came[t.id]
	}))
}

// refresh is a cluster's cron job.
func (s *scheduler) refresh(name string) {
	if _, err := s.u.refresh(s.begin, s.work, name, RefreshOptions{scheduled: true}); err != nil && s.begin.Err() == nil {
		s.u.log.Debug("scheduled refresh not begun", zap.String("cluster", name), zap.Error(err))
	}
}

// stop ends the schedule and waits for what runs: for the grace as it likes, then after abandoning it.
func (s *scheduler) stop(abandon func()) error {
	grace := time.AfterFunc(s.u.opts.Grace, abandon)
	defer grace.Stop()
	<-s.cron.Stop().Done()
	s.first.Wait()
	return nil
}

// purgeInterval is how often tombstones are looked at; a day more or less does not matter to a retention of weeks.
const purgeInterval = 6 * time.Hour

func (s *scheduler) purge() {
	trusted, why := s.u.clock.trusted()
	if why != "" {
		if s.unpurged != why {
			s.u.log.Warn("old tombstones are kept until the clock can be trusted", zap.String("because", why))
		}
		s.unpurged = why
		return
	}
	s.unpurged = ""
	s.purgeChanges()
	if s.u.opts.Retention <= 0 {
		return
	}
	before := s.u.now().UTC().Add(-s.u.opts.Retention)
	n, err := s.u.opts.Store.PurgeClusters(s.work, before, trusted)
	if err != nil {
		s.u.log.Warn("purging old tombstones failed; it is tried again later", zap.Duration("after", purgeInterval), zap.Error(err))
		return
	}
	if n > 0 {
		s.u.log.Info("purged old tombstones", zap.Int64("rows", n), zap.Time("removed_before", before))
	}
}

// purgeChanges deletes the entries of the log that are older than they are kept.
func (s *scheduler) purgeChanges() {
	kept := s.u.opts.RetentionChanges
	var err error
	if kept == 0 {
		kept, err = s.u.opts.Store.ChangesKept(s.work)
	}
	if kept <= 0 && err == nil {
		return
	}
	var n int64
	before := s.u.now().UTC().Add(-kept)
	if err == nil {
		n, err = s.u.opts.Store.PurgeChanges(s.work, before)
	}
	if err != nil {
		s.u.log.Warn("deleting old changes failed; it is tried again later", zap.Duration("after", purgeInterval), zap.Error(err))
	}
	if n > 0 {
		s.u.log.Info("deleted old changes", zap.Int64("entries", n), zap.Time("recorded_before", before))
	}
}

// cronLogger passes what the cron library says on: its chatter at debug level, a panic as the error that it is.
type cronLogger struct{ l *zap.Logger }

// Info implements [cron.Logger].
func (c cronLogger) Info(msg string, kv ...any) {
	if msg == "skip" {
		msg = "refresh skipped: the one before is still running"
	}
	c.l.Debug("cron: "+msg, zap.String("details", fmt.Sprint(kv...)))
}

// Error implements [cron.Logger].
func (c cronLogger) Error(err error, msg string, kv ...any) {
	c.l.Error("cron: "+msg, zap.Error(err), zap.String("details", fmt.Sprint(kv...)))
}

// clusters lists the configured clusters, and the ids of their rows by name.
func (u *Updater) clusters() ([]Cluster, map[string]int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	cs := make([]Cluster, 0, len(u.order))
	ids := make(map[string]int64, len(u.order))
	for _, name := range u.order {
		cs = append(cs, u.targets[name].cluster)
		ids[name] = u.targets[name].id
	}
	return cs, ids
}
