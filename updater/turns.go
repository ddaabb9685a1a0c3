package updater

import (
	"container/list"
	"context"
	"sync"
)

// turns are so many at a time; the others wait in two queues, the urgent ones first. Safe for concurrent use.
type turns struct {
	size int

	mu             sync.Mutex
	free           int
	urgent, others list.List // of chan struct{}, closed with a turn
}

func newTurns(n int) *turns { return &turns{size: n, free: n} }

// try takes a turn if one is free and nobody waits.
func (t *turns) try() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tryLocked()
}

func (t *turns) tryLocked() bool {
	if t.free == 0 {
		return false
	}
	t.free--
	return true
}

// take waits for a turn until ctx ends.
func (t *turns) take(ctx context.Context, urgent bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.mu.Lock()
	if t.tryLocked() {
		t.mu.Unlock()
		return nil
	}
	queue := &t.others
	if urgent {
		queue = &t.urgent
	}
	ready := make(chan struct{})
	at := queue.PushBack(ready)
	t.mu.Unlock()
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-ready: // both at once
		t.giveLocked()
	default:
		queue.Remove(at)
	}
	return ctx.Err()
}

// give gives a turn back, to the next one if somebody waits.
func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.giveLocked()
}

func (t *turns) giveLocked() {
	for _, queue := range []*list.List{&t.urgent, &t.others} {
		if next := queue.Front(); next != nil {
			queue.Remove(next)
			close(next.Value.(chan struct{})) //nolint:forcetypeassert // see turns
			return
		}
	}
	t.free++
}
