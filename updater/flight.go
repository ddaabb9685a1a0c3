package updater

import (
	"context"
	"fmt"
	"sync"
)

// flights lets all who want the same thing at the same time share one call. Who insists on what is true now joins no call
// that has begun: what that brings may have been true before he asked. He waits for the next one, which begins when the
// one that runs has ended, for all who have come until then.
type flights struct {
	mu      sync.Mutex
	running map[string]*flight
}

// flight is one call. next, when somebody waits for it, begins when this one ends.
type flight struct {
	do   func() (any, error)
	done chan struct{}
	val  any
	err  error
	next *flight
}

// join gives the call to wait for, and begins it if none runs.
func (f *flights) join(key string, insist bool, do func() (any, error)) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running == nil {
		f.running = map[string]*flight{}
	}
	now, ok := f.running[key]
	switch {
	case !ok:
		now = &flight{do: do, done: make(chan struct{})}
		f.running[key] = now
		go f.run(key, now)
		return now
	case !insist:
		return now
	case now.next == nil:
		now.next = &flight{do: do, done: make(chan struct{})}
	}
	return now.next
}

// run does a call and those that wait behind it. A failure that the next would meet too is theirs as well: whoever waits
// for a cluster that does not answer waits no longer than one call takes.
func (f *flights) run(key string, now *flight) {
	for now != nil {
		now.call()
		f.mu.Lock()
		next := now.next
		switch {
		case next == nil:
			delete(f.running, key)
		case now.err != nil && clusterWide(now.err):
			next.err = now.err
			delete(f.running, key)
		default:
			f.running[key] = next
		}
		f.mu.Unlock()
		close(now.done)
		if next != nil && next.err != nil {
			close(next.done)
			return
		}
		now = next
	}
}

func (fl *flight) call() {
	defer func() {
		if p := recover(); p != nil {
			fl.err = &PanicError{Value: p}
		}
	}()
	fl.val, fl.err = fl.do()
}

// wait gives what the call brings. Who waits no longer leaves the others their call.
func (fl *flight) wait(ctx context.Context) (any, error) {
	select {
	case <-fl.done:
		return fl.val, fl.err
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for a refresh: %w", ctx.Err())
	}
}

// outage tells those who wait for a cluster that it does not answer, whoever found out: the schedule, or a reader who came
// first. They need not find out one after the other.
type outage struct {
	mu   sync.Mutex
	told chan struct{}
	err  error
}

// next gives a channel that is closed at the next failure of the whole cluster.
func (o *outage) next() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.told == nil {
		o.told = make(chan struct{})
	}
	return o.told
}

// tell tells of a failure.
func (o *outage) tell(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = err
	if o.told != nil {
		close(o.told)
		o.told = nil
	}
}

func (o *outage) last() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// unlessDown runs do for a reader, and ends with the error of whoever else finds out meanwhile that the cluster does not
// answer. do then goes on to no purpose until it sees its context ended.
func (u *Updater) unlessDown(ctx context.Context, cluster string, do func(context.Context) error) error {
	t, err := u.target(cluster)
	if err != nil {
		return err
	}
	down := t.outage.next()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- &PanicError{Value: p}
			}
		}()
		done <- do(ctx)
	}()
	select {
	case err := <-done:
		return err
	case <-down:
		cancel()
		if err := <-done; err != nil && Reason(err) != "canceled" {
			return err
		}
		return t.outage.last()
	}
}
