package updater

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"ganeticache/db"
)

// Stamp is a time on record that cannot be: it lies ahead of now, or further ahead than the plan allows. It was written by
// a clock that was wrong, or by hand. It counts as if it were not there, so that what it belongs to is due at once; the
// next answer corrects it.
type Stamp struct {
	Kind db.Kind
	// Column is the name of the column, At what it holds, Ahead by how much it lies ahead of what is possible.
	Column string
	At     time.Time
	Ahead  time.Duration
}

// String says it in a sentence.
func (s Stamp) String() string {
	if s.Column == "next_due_at" {
		return fmt.Sprintf("%s of kind %s (%s) is further ahead than schedule, back-off and budget allow, by %s",
			s.Column, s.Kind, s.At.UTC().Format(time.RFC3339), s.Ahead.Round(time.Second))
	}
	return fmt.Sprintf("%s of kind %s (%s) lies %s in the future", s.Column, s.Kind, s.At.UTC().Format(time.RFC3339), s.Ahead.Round(time.Second))
}

// future says whether a time on record lies ahead of now.
func future(at *time.Time, now time.Time) bool { return at != nil && at.After(now.Add(maxAhead)) }

// ImpossibleStamps lists the times in a cluster's freshness that cannot be; any process can say it.
func ImpossibleStamps(c Cluster, fresh map[db.Kind]db.Freshness, now time.Time) []Stamp {
	_, stamps := newPlan(c).possible(fresh, now, 0)
	return stamps
}

// possible gives the freshness without the times that cannot be, and those. busy is how long a refresh may keep RAPI busy,
// as far as this process knows more than what is on record.
func (p plan) possible(fresh map[db.Kind]db.Freshness, now time.Time, busy time.Duration) (map[db.Kind]db.Freshness, []Stamp) {
	var stamps []Stamp
	var clean map[db.Kind]db.Freshness
	hold := p.longestHold(fresh, busy)
	for _, k := range slices.Sorted(maps.Keys(fresh)) {
		f, n := fresh[k], len(stamps)
		for _, at := range []struct {
			column string
			time   **time.Time
			limit  time.Time
		}{
			{"attempted_at", &f.AttemptedAt, now},
			{"snapshot_at", &f.SnapshotAt, now},
			{"refreshed_at", &f.RefreshedAt, now},
			{"next_due_at", &f.NextDueAt, p.latestDue(k, f, now, hold)},
		} {
			if !at.limit.IsZero() && future(*at.time, at.limit) {
				stamps = append(stamps, Stamp{Kind: k, Column: at.column, At: **at.time, Ahead: (*at.time).Sub(at.limit)})
				*at.time = nil
			}
		}
		if len(stamps) == n {
			continue
		}
		f.NextDueAt = nil // due at once
		if clean == nil {
			clean = maps.Clone(fresh)
		}
		clean[k] = f
	}
	if clean == nil {
		return fresh, nil
	}
	return clean, stamps
}

// latestDue is the latest next_due_at that could be given to a kind now, by its schedule, the budget or the back-off; the
// zero time where there is no schedule that says.
func (p plan) latestDue(k db.Kind, f db.Freshness, now time.Time, hold time.Duration) time.Time {
	next := p.next(k, now)
	if next.IsZero() {
		return next
	}
	latest := next
	if held := now.Add(hold); held.After(latest) {
		latest = held
	}
	if f.ConsecutiveFailures == 0 {
		return latest
	}
	// The interval of a schedule that names clock times differs from tick to tick.
	interval := p.interval(now)
	if at := f.AttemptedAt; at != nil && !future(at, now) {
		interval = max(interval, p.interval(at.In(now.Location())))
	}
	if retry := now.Add(backoff(interval, f.ConsecutiveFailures, 0)); retry.After(latest) {
		latest = retry
	}
	return latest
}

// longestHold is how long the budget may hold the cluster back: by the times of the last answers on record, of which one
// alone may have been unusually short.
func (p plan) longestHold(fresh map[db.Kind]db.Freshness, busy time.Duration) time.Duration {
	if p.budget <= 0 {
		return 0
	}
	sum := time.Duration(0)
	for _, f := range fresh {
		sum += time.Duration(f.DurationMS) * time.Millisecond
	}
	sum = max(4*sum, 2*busy)
	return time.Duration(min(float64(sum)/p.budget, float64(maxHold)))
}

// judge takes what is on record of a cluster without the times that cannot be, and says so once.
func (u *Updater) judge(t *target, fresh map[db.Kind]db.Freshness) map[db.Kind]db.Freshness {
	clean, stamps := t.plan.possible(fresh, u.now(), time.Duration(t.busyFor.Load()))
	u.metrics.impossible(t.cluster.Name, len(stamps))
	texts := make([]string, len(stamps))
	for i, s := range stamps {
		texts[i] = s.String()
	}
	said := strings.Join(texts, "; ")
	known := t.stamps.Swap(&said)
	if said == "" || known != nil && *known == said {
		return clean
	}
	u.metrics.clockImpossible.Add(float64(len(stamps)))
	t.suspect.Store(true)
	worst := slices.MaxFunc(stamps, func(a, b Stamp) int { return cmp.Compare(a.Ahead, b.Ahead) })
	u.log.Warn("times on record that cannot be, of a clock that was wrong: what they belong to counts as due, and is corrected by the next answer",
		zap.String("cluster", t.cluster.Name), zap.Int("times", len(stamps)), zap.Stringer("worst", worst))
	return clean
}

// ClockTroubles says, for people and without names, what is wrong with clocks: this machine's, and times on record that
// cannot be.
func (u *Updater) ClockTroubles() []string {
	var all []string
	if why := u.clock.trouble(); why != "" {
		all = append(all, why)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	n := 0
	for _, t := range u.targets {
		if said := t.stamps.Load(); said != nil && *said != "" {
			n++
		}
	}
	if n > 0 {
		all = append(all, fmt.Sprintf("times on record of %d clusters cannot be; `updater status` names them", n))
	}
	return all
}

// correctTimes looks, behind the answers of a refresh, for rows of the same kinds that are said to be of a later time than
// now: once for each kind after the start, and again whenever a time of the cluster was impossible or a clock was set.
func (r *run) correctTimes(ctx context.Context, touches []db.Touch) {
	steps := r.u.clock.steps()
	if r.t.suspect.Swap(false) {
		clear(r.t.corrected)
	}
	for _, t := range touches {
		if seen, ok := r.t.corrected[t.Kind]; ok && seen == steps {
			continue
		}
		n, err := r.u.opts.Store.CorrectTimes(ctx, r.t.row.ID, t.Kind, t.StartedAt)
		if err != nil {
			r.u.log.Debug("correcting times", zap.String("cluster", r.res.Cluster), zap.Error(err))
			return
		}
		r.t.corrected[t.Kind] = steps
		if n > 0 {
			r.u.metrics.clockImpossible.Add(float64(n))
			r.u.log.Warn("rows were of a time that has not come yet, by a clock that was wrong; they have the time of this answer now",
				zap.String("cluster", r.res.Cluster), zap.String("kind", string(t.Kind)), zap.Int64("rows", n))
		}
	}
}
