package updater

import (
	"hash/fnv"
	"time"

	"github.com/robfig/cron/v3"

	"ganeticache/db"
)

// plan is when the kinds of one cluster are due. It is the cluster's [cron.Schedule]: it ticks whenever one of the kinds
// does. Safe for concurrent use.
type plan struct {
	kinds map[db.Kind]cron.Schedule
	// budget is the share of time that RAPI may be kept busy; zero is no limit.
	budget float64
}

// newPlan shifts each schedule of the cluster by an offset that depends on its name alone, so that many clusters spread
// over the interval, and a restart moves none of them.
func newPlan(c Cluster) plan {
	p := plan{kinds: make(map[db.Kind]cron.Schedule, len(c.Schedules))}
	if c.Budget < 1 {
		p.budget = c.Budget
	}
	for k, s := range c.Schedules {
		p.kinds[k] = spread(s, c.Name)
	}
	return p
}

// Next implements [cron.Schedule]. It is the zero time, never, when no kind is scheduled.
func (p plan) Next(t time.Time) time.Time {
	var next time.Time
	for _, s := range p.kinds {
		n := s.Next(t)
		if !n.IsZero() && (next.IsZero() || n.Before(next)) {
			next = n
		}
	}
	return next
}

// next gives the time after t at which a kind is due. The cluster's own info comes with every refresh.
func (p plan) next(k db.Kind, t time.Time) time.Time {
	if s, ok := p.kinds[k]; ok {
		return s.Next(t)
	}
	return p.Next(t)
}

// retry gives the time of the next try after so many failures in a row; early is as in backoff.
func (p plan) retry(now time.Time, failures int, early float64) time.Time {
	return now.Add(backoff(p.interval(now), failures, early))
}

// interval gives the time between the next two ticks after t.
func (p plan) interval(t time.Time) time.Duration {
	first := p.Next(t)
	return p.Next(first).Sub(first)
}

// due lists the kinds whose time has come, in the order of a refresh. A kind that was never tried is due at once. While
// the cluster itself backs off, nothing is: the other kinds would meet the same failure. Nor is anything while its budget
// is used up, so that what was stretched together comes together.
func (p plan) due(now time.Time, fresh map[db.Kind]db.Freshness) []kind {
	if held := p.held(fresh); !arrived(held, now) {
		return nil
	}
	if c := fresh[db.KindCluster]; c.ConsecutiveFailures > 0 && !arrived(c.NextDueAt, now) {
		return nil
	}
	var due []kind
	for _, k := range p.scheduled() {
		if arrived(fresh[k.name].NextDueAt, now) {
			due = append(due, k)
		}
	}
	return due
}

// dueSlack is how much early a kind may be refreshed: a tick comes by the time that passes, and what is due is judged by a
// clock that is read anew, a little to this or that side.
const dueSlack = 250 * time.Millisecond

func arrived(due *time.Time, now time.Time) bool { return due == nil || !due.After(now.Add(dueSlack)) }

// scheduled lists the kinds that have a schedule, in the order of a refresh.
func (p plan) scheduled() []kind {
	var ks []kind
	for _, k := range kinds() {
		if _, ok := p.kinds[k.name]; ok {
			ks = append(ks, k)
		}
	}
	return ks
}

// maxShift bounds the shift of a schedule that names clock times ("0 3 * * *"): the operator meant about then.
const maxShift = time.Minute

// spread shifts a schedule by a hash of the name. An "@every" schedule is also tied to the clock instead of to the start
// of the process, and is shifted by up to its whole period; one that names clock times by a tenth of its period at most.
func spread(s cron.Schedule, name string) cron.Schedule {
	if every, ok := s.(cron.ConstantDelaySchedule); ok {
		return periodic{period: every.Delay, offset: offset(name, every.Delay)}
	}
	first := s.Next(time.Unix(0, 0).UTC())
	period := s.Next(first).Sub(first)
	return shifted{Schedule: s, offset: offset(name, min(period/10, maxShift))}
}

// offset maps a name to a stable duration in [0, limit), in whole milliseconds.
func offset(name string, limit time.Duration) time.Duration {
	h := fnv.New64a()
	h.Write([]byte(name)) //nolint:gosec // a hash takes every byte
	ms := limit.Milliseconds()
	if ms <= 0 {
		return 0
	}
	//nolint:gosec // the remainder of a positive int64 fits in one
	return time.Duration(h.Sum64()%uint64(ms)) * time.Millisecond
}

// periodic ticks at every multiple of the period since the zero time, plus the offset.
type periodic struct{ period, offset time.Duration }

// Next implements [cron.Schedule].
func (p periodic) Next(t time.Time) time.Time {
	return t.Add(-p.offset).Truncate(p.period).Add(p.period + p.offset)
}

// shifted is a schedule that ticks later by the offset.
type shifted struct {
	cron.Schedule

	offset time.Duration
}

// Next implements [cron.Schedule].
func (s shifted) Next(t time.Time) time.Time {
	next := s.Schedule.Next(t.Add(-s.offset))
	if next.IsZero() {
		return next
	}
	return next.Add(s.offset)
}
