package updater

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/robfig/cron/v3"

	"ganeticache/db"
)

// Backoff lets tests look at the waits themselves; through the engine they would have to wait.
func Backoff(interval time.Duration, failures int, early float64) time.Duration {
	return backoff(interval, failures, early)
}

// Plan lets tests look at a cluster's schedule without running it.
type Plan struct{ plan }

// NewPlan makes the plan of a cluster.
func NewPlan(c Cluster) Plan { return Plan{newPlan(c)} }

// NextOf is the next time of one kind.
func (p Plan) NextOf(k db.Kind, t time.Time) time.Time { return p.next(k, t) }

// Due names the kinds that are due.
func (p Plan) Due(now time.Time, fresh map[db.Kind]db.Freshness) []db.Kind {
	var names []db.Kind
	for _, k := range p.due(now, fresh) {
		names = append(names, k.name)
	}
	return names
}

// Held is the cron schedule of a cluster that the budget holds back until then.
func Held(c Cluster, until time.Time) cron.Schedule {
	p := paced{plan: newPlan(c), held: &atomic.Pointer[time.Time]{}}
	p.held.Store(&until)
	return p
}

// Turns lets tests see who comes first.
type Turns struct{ t *turns }

// NewTurns makes n of them.
func NewTurns(n int) Turns { return Turns{newTurns(n)} }

// Take waits for one.
func (t Turns) Take(ctx context.Context, urgent bool) error { return t.t.take(ctx, urgent) }

// Give gives one back.
func (t Turns) Give() { t.t.give() }

// NextPurge is when tombstones are looked at next.
func NextPurge(t time.Time) time.Time { return spread(cron.Every(purgeInterval), "purge").Next(t) }
