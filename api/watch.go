package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"
)

// watcher lets any number of requests wait for the next change at the cost of one small query at a time. It asks only
// while somebody waits.
type watcher struct {
	newest func(context.Context) (int64, error)
	every  time.Duration
	log    *zap.Logger

	mu      sync.Mutex
	waiting int
	perName map[string]int
	// news is closed, and made anew, when seen is another. It may become less: entries of a cluster can be purged.
	news chan struct{}
	seen int64
	// stop ends the asking; nil while nobody asks.
	stop context.CancelFunc
	// stopping is closed when no request shall wait any longer.
	stopping chan struct{}
	once     sync.Once
}

const (
	// maxWaiters is how many requests may wait for changes at the same time, and maxWaitersEach how many of one token.
	maxWaiters     = 512
	maxWaitersEach = 64
	// watchEvery is how often the newest change is asked for while somebody waits.
	watchEvery = 500 * time.Millisecond
)

func newWatcher(newest func(context.Context) (int64, error), every time.Duration, log *zap.Logger) *watcher {
	return &watcher{
		newest: newest, every: every, log: log,
		perName: map[string]int{}, news: make(chan struct{}), stopping: make(chan struct{}),
	}
}

// close ends all waits, now and in future.
func (w *watcher) close() { w.once.Do(func() { close(w.stopping) }) }

var errTooManyWaiters = errors.New("too many requests wait for changes")

// enter registers a waiter; unless it fails leave must follow.
func (w *watcher) enter(name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting >= maxWaiters || w.perName[name] >= maxWaitersEach {
		return errTooManyWaiters
	}
	w.waiting++
	w.perName[name]++
	if w.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		w.stop = cancel
		go w.ask(ctx)
	}
	return nil
}

func (w *watcher) leave(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting--
	if w.perName[name]--; w.perName[name] == 0 {
		delete(w.perName, name)
	}
	if w.waiting == 0 && w.stop != nil {
		w.stop()
		w.stop = nil
	}
}

// wait returns the newest change and true when that is newer than after and another one than known, which the caller was
// told the last time, and false when ctx ends or no one shall wait any longer. The caller has entered.
func (w *watcher) wait(ctx context.Context, after, known int64) (newest int64, ok bool) {
	for {
		w.mu.Lock()
		news, seen := w.news, w.seen
		w.mu.Unlock()
		if seen > after && seen != known {
			return seen, true
		}
		select {
		case <-news:
		case <-ctx.Done():
			return 0, false
		case <-w.stopping:
			return 0, false
		}
	}
}

// ask looks for the newest change until ctx ends. An error is no reason to end a wait: the next look may succeed, and the
// waiter's own query says what is wrong.
func (w *watcher) ask(ctx context.Context) {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	failed := false
	for {
		id, err := w.newest(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failed:
			w.log.Warn("looking for changes failed; it is tried again", zap.Duration("after", w.every), zap.Error(err))
		case err == nil:
			w.tell(id)
		}
		failed = err != nil
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (w *watcher) tell(id int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if id != w.seen {
		w.seen = id
		close(w.news)
		w.news = make(chan struct{})
	}
}
