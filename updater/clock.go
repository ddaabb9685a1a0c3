package updater

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// maxAhead is how far a time on record may lie ahead of now: what clocks and the way to the database leave open.
	maxAhead = 2 * time.Second
	// maxOffset is by how much our clock may differ from the database's before it is said.
	maxOffset = 5 * time.Second
	// watchInterval is how often the clock is compared with the time that has passed.
	watchInterval = time.Second
	// maxDisagreement is how far the clocks of clusters may be from ours for us to delete anything by it, and afterStep how
	// long nothing is after it was set.
	maxDisagreement = time.Hour
	afterStep       = time.Hour
)

// clock is the time by which what is due, how old something is, and what is purged are decided: on PostgreSQL the
// database's, which all replicas share, else this process's. Between two looks at the database it goes on by the time that
// has passed, whatever is done to the machine's own clock. Safe for concurrent use.
type clock struct {
	// wall is this process's clock, which may be wrong, and may be set at any moment.
	wall func() time.Time
	log  *zap.Logger
	m    *metrics

	mu sync.Mutex
	// base is what the database's clock said when our monotonic one said at; zero where the database has none.
	base, at time.Time
	// wallBase and wallAt are the same of our own clock.
	wallBase, wallAt time.Time
	// stepped is when a clock was last seen to be set, by the monotonic one.
	stepped   time.Time
	stepsSeen int
	// offset is our clock less the database's; said that it was large when last looked.
	offset time.Duration
	said   bool
	// witnesses says of each cluster whether the time in its last answer agrees with ours, since the start or the last step.
	witnesses map[string]bool
}

func newClock(wall func() time.Time, log *zap.Logger, m *metrics) *clock {
	return &clock{
		wall: wall, log: log, m: m, wallBase: wall().Round(0), wallAt: time.Now(), witnesses: map[string]bool{},
	}
}

// now gives the time.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nowLocked()
}

func (c *clock) nowLocked() time.Time {
	if c.base.IsZero() {
		return c.wall()
	}
	return c.base.Add(time.Since(c.at)).Local()
}

// anchor takes over what the database's clock said in answer to a question that was asked at began. Zero is a database
// without one.
func (c *clock) anchor(at, began time.Time) {
	trip := time.Since(began)
	if at.IsZero() || trip > time.Second {
		return // a slow answer says little about the time
	}
	at = at.Add(trip / 2)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.base.IsZero() {
		c.stepIf("database", at.Sub(c.base.Add(time.Since(c.at))))
	}
	c.base, c.at = at, time.Now()
}

// measure compares our clock with the database's.
func (c *clock) measure(at, began time.Time) {
	trip := time.Since(began)
	if at.IsZero() || trip > time.Second {
		return
	}
	c.anchor(at, began)
	offset := c.wall().Add(-trip / 2).Sub(at)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset = offset
	c.m.clockOffset.Set(offset.Seconds())
	switch large := offset.Abs() > maxOffset; {
	case large && !c.said:
		c.log.Warn("the clock of this machine differs from the database's, whose clock counts; set it right (NTP)",
			zap.Duration("offset", offset.Round(time.Millisecond)))
		c.said = true
	case !large && c.said:
		c.log.Info("the clock of this machine agrees with the database's again", zap.Duration("offset", offset.Round(time.Millisecond)))
		c.said = false
	}
}

// watch compares our clock with the time that has passed since the last call, and reports whether it was set meanwhile.
func (c *clock) watch() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall, at := c.wall().Round(0), time.Now()
	by := wall.Sub(c.wallBase) - at.Sub(c.wallAt)
	c.wallBase, c.wallAt = wall, at
	return c.stepIf("process", by)
}

// stepIf notes that a clock was set by so much, if it is more than clocks drift.
func (c *clock) stepIf(whose string, by time.Duration) bool {
	if by.Abs() <= maxAhead {
		return false
	}
	c.stepped = time.Now()
	c.stepsSeen++
	clear(c.witnesses)
	c.m.clockSteps.WithLabelValues(whose).Inc()
	c.log.Warn("a clock was set while the updater ran; order does not depend on it, and nothing is purged for an hour",
		zap.String("clock", whose), zap.Duration("by", by.Round(time.Millisecond)))
	return true
}

// witness compares our clock with the time that a cluster's answer names.
func (c *clock) witness(cluster string, date time.Time) {
	if date.IsZero() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.witnesses[cluster] = c.nowLocked().Sub(date).Abs() <= maxDisagreement
}

// trusted lists the clusters whose tombstones may be deleted by our clock: it was not set within the hour, most of the
// clusters that have answered since agree with it, and so does each of these itself. why says what is missing when none is.
func (c *clock) trusted() (clusters []string, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stepped.IsZero() && time.Since(c.stepped) < afterStep {
		return nil, "a clock was set within the last hour"
	}
	for name, agrees := range c.witnesses {
		if agrees {
			clusters = append(clusters, name)
		}
	}
	switch {
	case len(c.witnesses) == 0:
		return nil, "no cluster has answered with a time (the header Date) yet that could confirm the clock"
	case 2*len(clusters) <= len(c.witnesses):
		return nil, "the times that most clusters answer with differ from the clock by more than an hour"
	}
	return clusters, ""
}

// trouble says what is wrong with the clock of this machine; "" when nothing is.
func (c *clock) trouble() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.offset.Abs() <= maxOffset {
		return ""
	}
	how := "ahead of"
	if c.offset < 0 {
		how = "behind"
	}
	return "the clock of this machine is " + c.offset.Abs().Round(time.Second).String() + " " + how + " the database's; set it right (NTP)"
}

// steps counts how often a clock was set.
func (c *clock) steps() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stepsSeen
}

// measured gives the last measured offset.
func (c *clock) measured() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offset
}

// lookAtClock asks the database for its time.
func (u *Updater) lookAtClock(ctx context.Context) error {
	began := time.Now()
	at, err := u.opts.Store.Clock(ctx)
	if err != nil {
		return err
	}
	u.clock.measure(at, began)
	return nil
}
