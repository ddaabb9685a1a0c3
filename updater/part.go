package updater

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"ganeticache/db"
)

// defaultLease is how long a replica's clusters stay its own without a heartbeat.
const defaultLease = 30 * time.Second

// beatRetry is how soon a failed heartbeat is tried again; the database may be back any moment.
const beatRetry = time.Second

// part is this process's part of the clusters: those whose leases it holds while [Updater.Run] lasts. A heartbeat renews
// them and evens them out with the other replicas. While the database does not answer nothing is held: scheduled
// refreshes rest, instead of asking clusters for answers that could not be stored. Safe for concurrent use.
type part struct {
	replica db.Replica
	log     *zap.Logger
	metrics *metrics
	// kick asks for a heartbeat now; gained tells that there are clusters to take up.
	kick, gained chan struct{}

	mu     sync.Mutex
	leases map[int64]db.Lease
	// until is when the leases end unless they are renewed.
	until time.Time
	// away is since when the database does not answer; zero while it does.
	away time.Time
	// fresh are the clusters that have come since the scheduler last asked.
	fresh map[int64]bool
}

func newPart(lease time.Duration, l *zap.Logger, m *metrics) *part {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return &part{
		replica: db.Replica{ID: fmt.Sprintf("%s/%d/%s", host, os.Getpid(), rand.Text()[:6]), Host: host, PID: os.Getpid(), TTL: lease},
		log:     l, metrics: m, kick: make(chan struct{}, 1), gained: make(chan struct{}, 1),
		leases: map[int64]db.Lease{}, fresh: map[int64]bool{},
	}
}

// lease gives the lease of a cluster, nil when this process does not hold it.
func (p *part) lease(clusterID int64) *db.Lease {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.leases[clusterID]
	if !ok || !p.away.IsZero() || !time.Now().Before(p.until) {
		return nil
	}
	return &l
}

// lose forgets a lease that the database says is another's.
func (p *part) lose(l *db.Lease) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l != nil && p.leases[l.ClusterID] == *l {
		delete(p.leases, l.ClusterID)
	}
}

// news lists the clusters that have come since the last call.
func (p *part) news() map[int64]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	fresh := p.fresh
	p.fresh = map[int64]bool{}
	return fresh
}

// run keeps the heart beating until ctx ends.
func (p *part) run(ctx context.Context, u *Updater) {
	wait := p.pause(nil)
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-p.kick:
			timer.Stop()
		}
		wait = p.pause(p.beat(ctx, u))
	}
}

// pause gives the time to the next heartbeat: two may fail before the leases end.
func (p *part) pause(err error) time.Duration {
	if err != nil {
		return min(beatRetry, p.replica.TTL/3)
	}
	return p.replica.TTL / 3
}

// beat is one heartbeat. Its error is logged when it is the first in a row.
func (p *part) beat(ctx context.Context, u *Updater) error {
	began := time.Now()
	timed, cancel := context.WithTimeout(ctx, p.replica.TTL/2)
	defer cancel()
	err := u.lookAtClock(timed)
	var shares db.Shares
	if err == nil {
		p.replica.ClockOffset = u.clock.measured()
		shares, err = u.opts.Store.Share(timed, p.replica, u.ids())
	}
	if err != nil {
		if ctx.Err() == nil {
			p.fail(err)
		}
		return err
	}
	lost := p.take(shares, began)
	p.metrics.share(shares)
	u.forgetMetrics(lost)
	if shares.Ended > 0 {
		p.log.Warn("ended database sessions of updaters that are not heard of any more", zap.Int64("sessions", shares.Ended))
		p.ask()
	}
	return nil
}

// ask asks for a heartbeat now.
func (p *part) ask() { signal(p.kick) }

// signal leaves a message for a goroutine that looks when it likes; one is as good as several.
func signal(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func (p *part) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.metrics.databaseUp.Set(0)
	if p.away.IsZero() {
		p.away = time.Now()
		if errors.Is(err, db.ErrSchemaNewer) {
			p.log.Error("a newer updater migrated the database: nothing is refreshed or written any more, only read", zap.Error(err))
			return
		}
		p.log.Error("the database does not answer the heartbeat; nothing is refreshed on schedule until it does", zap.Error(err))
	}
}

// take makes the shares those of the process and returns the clusters that are gone.
func (p *part) take(shares db.Shares, began time.Time) (lost map[int64]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.leases
	back := !p.away.IsZero()
	if back {
		p.log.Info("the database is back", zap.Duration("after", time.Since(p.away)))
		p.away = time.Time{}
	}
	lost = map[int64]bool{}
	for id := range was {
		lost[id] = true
	}
	p.leases, p.until = make(map[int64]db.Lease, len(shares.Leases)), began.Add(p.replica.TTL)
	came := 0
	for _, l := range shares.Leases {
		p.leases[l.ClusterID] = l
		if was[l.ClusterID] != l {
			came++
		}
		if back || was[l.ClusterID] != l {
			p.fresh[l.ClusterID] = true
		}
		delete(lost, l.ClusterID)
	}
	if came > 0 || len(lost) > 0 {
		p.log.Info("shared the clusters", zap.String("replica", p.replica.ID), zap.Int("replicas", shares.Replicas),
			zap.Int("clusters", len(p.leases)), zap.Int("came", came), zap.Int("went", len(lost)), zap.Int("taken_over", shares.TakenOver))
	}
	if len(p.fresh) > 0 {
		signal(p.gained)
	}
	return lost
}

// leave gives everything back, so that others need not wait for the lease time.
func (p *part) leave(ctx context.Context, s Store) {
	timed, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := s.Leave(timed, p.replica.ID); err != nil {
		p.log.Info("the clusters could not be given back; others take them over when the lease time is over", zap.Error(err))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.leases)
}
