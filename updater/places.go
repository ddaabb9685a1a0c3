package updater

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"ganeticache/ganeti"
)

// A place is what a refresh, or a reader's question, needs to do something: read an answer, compare, write. There are few,
// for memory and the database's sake. Who waits for a cluster needs none, so that clusters that hang or drip cost the others
// nothing: a place is given back when a cluster has been silent for a moment, and asked for again when its answer has begun.
//
// Those who wait are bounded too, each kind by itself:
//
//   - Clusters on schedule: as many as there are clusters, up to maxWaiting, or half of the files that may be open.
//   - Clusters that failed last time: a few at once, each with a probe, which is the first request of every refresh
//     (/2/info) under a short limit. One that does not answer it in time may be waited for with its full time-outs while
//     not too many others are; otherwise it is given up until its next try. So one that is merely slow recovers at once
//     when few clusters fail, and when hundreds do, at one of its next tries.
//   - Readers (the API, refreshes that somebody asked for): a few at once, with places of their own to work in. Whoever
//     meets a silent cluster makes room for the next reader, while not too many wait for such.
const (
	// lendAfter is how long a cluster may be silent before the place is given back. An answer from nearby comes sooner, and
	// is worked on without a change of places.
	lendAfter = 50 * time.Millisecond
	// probeLimit is how long a cluster that failed last time may take for /2/info while many are tried.
	probeLimit = 5 * time.Second
	// readerLimit is how long a reader may keep the next one from asking.
	readerLimit = 2 * time.Second
	// maxWaiting bounds the connections, and so memory and files: a waiting one takes some 40 kB.
	maxWaiting = 1024
	// manySilent is from how many silent clusters on memory counts more than the time that collecting garbage takes.
	manySilent = 100
)

// places are those of one engine. Safe for concurrent use.
type places struct {
	scheduled, doubtful, readers class
	// reading bounds how many records are read ahead of the answers that they are compared with.
	reading *turns
	metrics *metrics
	frugal  *frugal
	silent  atomic.Int64 // who gave a turn to work back
}

// class is whose trouble is kept apart from that of others.
type class struct {
	name string
	// work bounds those who work.
	work *turns
	// asking bounds those who ask for less than the limit; behind it, patient bounds them, and who finds no turn there is
	// given up. Without a limit, asking is all.
	asking, patient *turns
	limit           time.Duration
}

func newPlaces(concurrency int, m *metrics, f *frugal) *places {
	work := newTurns(concurrency)
	few := 2 * concurrency
	return &places{
		scheduled: class{name: "scheduled", work: work, asking: newTurns(waitingAllowed())},
		doubtful:  class{name: "doubtful", work: work, asking: newTurns(few), patient: newTurns(few), limit: probeLimit},
		readers: class{
			name: "readers", work: newTurns(readersPlaces(concurrency)), asking: newTurns(few), patient: newTurns(2 * few), limit: readerLimit,
		},
		reading: newTurns(concurrency), metrics: m, frugal: f,
	}
}

// waitingAllowed is how many clusters on schedule may be waited for: half of the files that the process may open at most,
// since the database, readers and those that failed need some too.
func waitingAllowed() int { return max(1, min(maxWaiting, filesAllowed()/2)) }

// readersPlaces is how many readers' refreshes work at the same time, beside those on schedule.
func readersPlaces(concurrency int) int { return max(1, concurrency/4) }

// Connections is how many connections to the database the refreshes of an engine use at the same time.
func Connections(concurrency int) int { return concurrency + readersPlaces(concurrency) }

// place is that of one refresh or question. Its own goroutine uses it, and the timers.
type place struct {
	all *places
	of  class

	mu     sync.Mutex
	works  bool          // holds a turn of class.work
	silent bool          // has given the turn to work back
	sparse bool          // is one of so many that memory counts
	asks   *turns        // the turn of class.asking or patient that it holds
	waits  bool          // for the cluster
	lend   *time.Timer   // gives the turn to work back
	limit  *time.Timer   // ends the time for asking
	giveUp func(error)   // ends the request that is waited for
	waited time.Duration // for a turn to work, since the first one
}

type placeKey struct{}

// placeIn gives the place of whoever works with this context.
func placeIn(ctx context.Context) *place {
	p, _ := ctx.Value(placeKey{}).(*place)
	return p
}

// ask waits, until ctx ends, for the right to ask a cluster. It is followed by leave.
func (ps *places) ask(ctx context.Context, of class) (*place, error) {
	p := &place{all: ps, of: of}
	if err := of.asking.take(ctx, false); err != nil {
		return nil, err
	}
	p.asks = of.asking
	ps.metrics.waiting(of.name, 1)
	return p, nil
}

// enter waits, until ctx ends, for the first turn to work.
func (p *place) enter(ctx context.Context) error {
	err := p.of.work.take(ctx, false)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.hold()
	}
	return err
}

// turned is how long it waited for turns since the first.
func (p *place) turned() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waited
}

// question gives a reader's question a place.
func (ps *places) question(ctx context.Context) (_ context.Context, leave func(), err error) {
	p, err := ps.ask(ctx, ps.readers)
	if err != nil {
		return nil, nil, err
	}
	if err := p.enter(ctx); err != nil {
		p.leave()
		return nil, nil, err
	}
	return context.WithValue(ctx, placeKey{}, p), p.leave, nil
}

// hold is called with mu held.
func (p *place) hold() {
	p.works = true
	p.heard()
	p.all.metrics.waiting(p.of.name, -1)
	p.all.metrics.working(p.of.name, 1)
}

// release is called with mu held.
func (p *place) release() {
	p.works = false
	p.of.work.give()
	p.all.metrics.working(p.of.name, -1)
	p.all.metrics.waiting(p.of.name, 1)
}

// leave gives everything back.
func (p *place) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	stopTimer(p.lend)
	stopTimer(p.limit)
	if p.works {
		p.release()
	}
	p.heard()
	p.all.metrics.waiting(p.of.name, -1)
	if p.asks != nil {
		p.asks.give()
		p.asks = nil
	}
}

func stopTimer(t *time.Timer) {
	if t != nil {
		t.Stop()
	}
}

// Wait implements [ganeti.Waiter].
func (p *place) Wait(silent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waits = true
	if p.of.limit > 0 && p.asks == p.of.asking {
		p.limit = after(p.limit, p.of.limit, p.limited)
	}
	switch {
	case !p.works:
	case silent:
		p.lendOut()
	default:
		p.lend = after(p.lend, lendAfter, p.silence)
	}
}

// after starts a timer, anew if there is one.
func after(t *time.Timer, d time.Duration, do func()) *time.Timer {
	if t == nil {
		return time.AfterFunc(d, do)
	}
	t.Reset(d)
	return t
}

// silence gives the place back: the cluster has said nothing for a while.
func (p *place) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waits && p.works {
		p.lendOut()
	}
}

// lendOut is called with mu held, and so is heard, its end.
func (p *place) lendOut() {
	p.release()
	p.silent = true
	if p.all.silent.Add(1) > manySilent {
		p.sparse = true
		p.all.frugal.begin()
	}
}

func (p *place) heard() {
	if p.silent {
		p.silent = false
		p.all.silent.Add(-1)
	}
	if p.sparse {
		p.sparse = false
		p.all.frugal.end()
	}
}

// Resume implements [ganeti.Waiter]. Whose answer has begun comes before those who want to begin.
func (p *place) Resume(ctx context.Context) (gaveBack bool, err error) {
	p.mu.Lock()
	p.waits = false
	stopTimer(p.lend)
	stopTimer(p.limit)
	if p.works {
		p.mu.Unlock()
		return false, nil
	}
	p.mu.Unlock()
	began := time.Now()
	err = p.of.work.take(ctx, true)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waited += time.Since(began)
	if err == nil {
		p.hold()
	}
	return true, err
}

// limited ends the time for asking: the next one may, and this one goes on only if there is room among the patient.
func (p *place) limited() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.waits || p.asks != p.of.asking: // it came in time
	case p.of.patient.try():
		p.asks.give()
		p.asks = p.of.patient
		p.all.metrics.probed(p.of, "patient")
	case p.giveUp != nil:
		p.all.metrics.probed(p.of, "given_up")
		p.giveUp(&CrowdedError{After: p.of.limit, Others: p.of.patient.size, Reader: p.of.name == p.all.readers.name})
	}
}

// prove says that a cluster which failed last time answers again: from here on it is one like the others.
func (p *place) prove(ctx context.Context) error {
	if p == nil || p.of.name != p.all.doubtful.name {
		return nil
	}
	usual := p.all.scheduled
	if !usual.asking.try() {
		p.Wait(true)
		err := usual.asking.take(ctx, true)
		_, resumeErr := p.Resume(ctx)
		if err != nil {
			return err
		}
		if resumeErr != nil {
			usual.asking.give()
			return resumeErr
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asks.give()
	p.asks = usual.asking
	p.all.metrics.probed(p.of, "answered")
	return nil
}

// request gives the context of one request, which tells the place when there is something to do, and a function for its
// end, which gets the place back and says what the request failed of.
func (p *place) request(ctx context.Context) (context.Context, func(error) error) {
	if p == nil {
		return ctx, func(err error) error { return err }
	}
	asked, cancel := context.WithCancelCause(ctx)
	p.mu.Lock()
	p.giveUp = cancel
	p.mu.Unlock()
	p.Wait(false)
	return ganeti.WithWaiter(asked, p), func(err error) error {
		_, resumeErr := p.Resume(ctx)
		p.mu.Lock()
		p.giveUp = nil
		p.mu.Unlock()
		if crowded, ok := errors.AsType[*CrowdedError](context.Cause(asked)); ok && err != nil {
			err = crowded
		}
		cancel(nil)
		if err == nil {
			err = resumeErr
		}
		return err
	}
}

// CrowdedError says that a cluster was given up before its time-outs were over, because too many others do not answer
// either.
type CrowdedError struct {
	// After so long nothing had come, and so many Others had been waited for longer.
	After  time.Duration
	Others int
	// Reader says that a reader asked; then it is no failure of the cluster.
	Reader bool
}

// Error says why, and what follows.
func (e *CrowdedError) Error() string {
	if e.Reader {
		return fmt.Sprintf("no answer within %s, and readers wait for %d clusters longer than that already; try again later", e.After, e.Others)
	}
	return fmt.Sprintf("no answer to a probe within %s, after a failure, and %d other clusters that failed are being waited for longer already; "+
		"the next try may have the whole of its timeouts", e.After, e.Others)
}

// Is makes it a time-out.
func (e *CrowdedError) Is(target error) bool { return target == ganeti.ErrTimeout }
