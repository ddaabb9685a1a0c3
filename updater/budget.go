package updater

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/robfig/cron/v3"
	"go.uber.org/zap"

	"ganeticache/db"
)

// The budget of a cluster (Cluster.Budget) is kept by waiting: a refresh that kept RAPI busy for 15 s, of a budget of a
// tenth, is followed by none on schedule for 150 s from its start. The stretched times are the next_due_at of freshness,
// and the row of the cluster's own info, which comes with every refresh, holds all kinds back together. So another
// replica, and this one after a restart, know them too.
//
// What readers ask for one object counts in the metrics, not here: they ask when rows are old, and a longer interval
// would make more of them ask.

// maxHold bounds the wait: a budget too small for even that is a cluster that should be disabled.
const maxHold = 24 * time.Hour

// pace is what a process remembers of a cluster's pace between refreshes.
type pace struct {
	// recent holds how long the last two answers of each kind took.
	recent map[db.Kind][]time.Duration
	// said is the interval that the log last told of; zero while the schedule rules.
	said time.Duration
	// shown says that the metrics have an interval of the cluster, until they forget it.
	shown atomic.Bool
}

// typical gives the median of the last answers' times and this one's, so that one slow answer among fast ones stretches
// nothing; of two the shorter. After a start the last time on record stands for those not seen.
func (p *pace) typical(k db.Kind, now *time.Duration, last db.Freshness) time.Duration {
	times := slices.Clone(p.recent[k])
	if len(times) == 0 && last.RefreshedAt != nil {
		times = append(times, time.Duration(last.DurationMS)*time.Millisecond)
	}
	if now != nil {
		times = append(times, *now)
	}
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[(len(times)-1)/2]
}

// remember keeps the times of a refresh for the ones after it.
func (p *pace) remember(took map[db.Kind]time.Duration) {
	if p.recent == nil {
		p.recent = map[db.Kind][]time.Duration{}
	}
	for k, d := range took {
		times := append(slices.Clone(p.recent[k]), d)
		p.recent[k] = times[max(0, len(times)-2):]
	}
}

// busy is how long a refresh like this one keeps RAPI busy; of answers still to come, what is known of earlier ones.
func (r *run) busy() time.Duration {
	sum := r.typical(db.KindCluster)
	for _, k := range r.kinds {
		sum += r.typical(k.name)
	}
	return sum
}

func (r *run) typical(k db.Kind) time.Duration {
	var now *time.Duration
	if d, ok := r.took[k]; ok {
		now = &d
	}
	return r.t.pace.typical(k, now, r.fresh[k])
}

// heldUntil is until when this refresh uses up the budget; the zero time where there is none. A refresh of some kinds
// that somebody asked for in between ends no wait for the others.
func (r *run) heldUntil() time.Time {
	if r.t.plan.budget <= 0 {
		return time.Time{}
	}
	wait := min(float64(r.busy())/r.t.plan.budget, float64(maxHold))
	until := r.res.StartedAt.Add(time.Duration(wait))
	if held := r.t.plan.held(r.fresh); len(r.opts.Kinds) > 0 && held != nil && held.After(until) {
		return *held
	}
	return until
}

// due is when a kind whose answer began at the given time is due again; never, the zero time, stays never.
func (r *run) due(k db.Kind, began time.Time) time.Time {
	next := r.t.plan.next(k, began)
	if until := r.heldUntil(); !next.IsZero() && until.After(next) {
		return until
	}
	return next
}

// recall begins a refresh with what is on record: the age of the kinds and the cluster's pace, also for the metrics of a
// process that has not had an answer of it yet.
func (r *run) recall() {
	r.t.held.Store(r.t.plan.held(r.fresh))
	for _, k := range append(r.t.plan.scheduled(), kind{name: db.KindCluster}) {
		if at := r.fresh[k.name].RefreshedAt; at != nil {
			r.u.metrics.refreshed(r.res.Cluster, k.name, *at)
		}
	}
	if r.t.pace.shown.Load() || r.t.plan.Next(r.res.StartedAt).IsZero() {
		return
	}
	r.t.pace.shown.Store(true)
	p, ok := StretchedPace(r.t.cluster, r.fresh)
	if !ok {
		p.Interval = r.t.plan.interval(r.res.StartedAt)
	}
	r.u.metrics.pace(r.res.Cluster, p)
}

// keepPace ends a refresh, when all times are known: it says when the kinds that did not change are due, gives the stamps
// of those that did and whose time has changed since they were written, and tells of it.
func (r *run) keepPace() (restamp []db.Touch) {
	for i, t := range r.touches {
		r.touches[i].NextDue = r.due(t.Kind, t.StartedAt)
	}
	for _, t := range r.applied {
		if due := r.due(t.Kind, t.StartedAt); !due.Equal(t.NextDue) {
			t.NextDue = due
			restamp = append(restamp, t)
		}
	}
	until, next := r.heldUntil(), r.t.plan.Next(r.res.StartedAt)
	r.t.held.Store(nil)
	if until.After(next) {
		r.t.held.Store(&until)
	}
	if len(r.opts.Kinds) == 0 && !next.IsZero() {
		p := Pace{Schedule: r.t.plan.interval(r.res.StartedAt), Busy: r.busy(), Budget: r.t.plan.budget}
		// Between two ticks, even a fast cluster may be held past the next one.
		p.Interval = max(p.Schedule, until.Sub(r.res.StartedAt))
		r.u.metrics.pace(r.res.Cluster, p)
		r.t.pace.tell(r.u.log.With(zap.String("cluster", r.res.Cluster)), p)
	}
	r.t.busyFor.Store(int64(r.busy()))
	r.t.pace.remember(r.took)
	return restamp
}

// tell logs that a cluster leaves the schedule, changes its interval by half or more, or is back. Just below the budget
// it says nothing, so that a cluster at the edge does not fill the log.
func (p *pace) tell(l *zap.Logger, now Pace) {
	fields := []zap.Field{
		zap.Duration("schedule", now.Schedule), zap.Duration("interval", now.Interval.Round(time.Second)),
		zap.Duration("rapi_busy", now.Busy.Round(time.Millisecond)), zap.Float64("refresh_budget", now.Budget),
	}
	stretched := now.Interval > now.Schedule
	switch {
	case stretched && p.said == 0:
		l.Info("RAPI answers slowly: the cluster is refreshed less often than scheduled", fields...)
		p.said = now.Interval
	case stretched && (now.Interval >= p.said*3/2 || now.Interval <= p.said*2/3):
		l.Info("RAPI's speed has changed: so has the interval of the cluster", fields...)
		p.said = now.Interval
	case p.said != 0 && float64(now.Busy) < 0.8*now.Budget*float64(now.Schedule):
		l.Info("the cluster is refreshed on schedule again", fields...)
		p.said = 0
	}
}

// Pace is how often a cluster is refreshed, and why.
type Pace struct {
	// Schedule is the interval that the schedules ask for, Interval the one that the budget leaves.
	Schedule, Interval time.Duration
	// Busy is how long a refresh keeps RAPI busy; Budget is the share of time that it may, zero for no limit.
	Busy   time.Duration
	Budget float64
}

// StretchedPace gives the pace of a cluster whose interval is stretched, from its freshness alone: any process can say it.
// ok is false for one that is refreshed on schedule, or fails and is tried again by its back-off.
func StretchedPace(c Cluster, fresh map[db.Kind]db.Freshness) (_ Pace, ok bool) {
	p := newPlan(c)
	held := p.held(fresh)
	if held == nil {
		return Pace{}, false
	}
	began := *fresh[db.KindCluster].RefreshedAt
	schedule, interval := p.interval(began), held.Sub(began)
	return Pace{
		Schedule: schedule, Interval: interval, Busy: time.Duration(float64(interval) * p.budget), Budget: p.budget,
	}, interval > schedule
}

// StretchedPace is [StretchedPace] for one of the configured clusters; false when there is none of that name.
func (u *Updater) StretchedPace(name string, fresh map[db.Kind]db.Freshness) (Pace, bool) {
	t, err := u.target(name)
	if err != nil {
		return Pace{}, false
	}
	return StretchedPace(t.cluster, fresh)
}

// held gives until when the budget holds a cluster back; nil when its schedule rules.
func (p plan) held(fresh map[db.Kind]db.Freshness) *time.Time {
	c := fresh[db.KindCluster]
	if p.budget <= 0 || c.ConsecutiveFailures > 0 || c.RefreshedAt == nil || c.NextDueAt == nil {
		return nil
	}
	if next := p.Next(*c.RefreshedAt); next.IsZero() || !c.NextDueAt.After(next) {
		return nil
	}
	return c.NextDueAt
}

// paced is a plan that also ticks when the budget lets go of the cluster, between two ticks of its schedules.
type paced struct {
	plan

	held *atomic.Pointer[time.Time]
	now  func() time.Time
}

// Next implements [cron.Schedule].
func (p paced) Next(t time.Time) time.Time {
	now := t
	if p.now != nil {
		now = p.now().In(t.Location())
	}
	next := p.plan.Next(now)
	if held := p.held.Load(); held != nil && held.After(now) && held.Before(next) {
		next = *held
	}
	return onward(t, now, next)
}

// onward gives the moment as far ahead of t as next is ahead of now. t is cron's clock, with its monotonic reading: an entry
// stays as far ahead, whatever the machine's clock is set to meanwhile.
func onward(t, now, next time.Time) time.Time {
	if next.IsZero() {
		return next
	}
	return t.Add(next.Sub(now))
}

// steady is a schedule by the engine's clock, in the time that passes; see paced.
type steady struct {
	cron.Schedule

	now func() time.Time
}

// Next implements [cron.Schedule].
func (s steady) Next(t time.Time) time.Time {
	now := s.now().In(t.Location())
	return onward(t, now, s.Schedule.Next(now))
}
