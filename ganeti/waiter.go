package ganeti

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// Waiter is told by a request when it waits for the cluster, so that a caller
// who shares something scarce among many clusters need not hold it for one that
// is silent. See [WithWaiter].
type Waiter interface {
	// Wait says that the caller's turn is not needed for now. With silent the
	// cluster is known to be slow, and the turn can be given back at once.
	Wait(silent bool)
	// Resume asks for the turn back, because there is something to do. It
	// returns when the caller has it, whether it had been given back meanwhile,
	// or ctx's error.
	Resume(ctx context.Context) (gaveBack bool, err error)
}

type waiterKey struct{}

// WithWaiter has the requests with this context tell w when an answer has
// begun (Resume), and when a body makes them wait (Wait, then Resume). The
// caller calls Wait before a request, which begins with waiting, and Resume
// after it, which may have failed before there was an answer. The time that
// Resume takes is no part of the measured duration of a request.
func WithWaiter(ctx context.Context, w Waiter) context.Context {
	return context.WithValue(ctx, waiterKey{}, w)
}

const (
	// begun is how much of an answer has to be there before anybody gets up for
	// it: as much as is buffered anyway.
	begun = 4 << 10
	// lump is what is collected of a slow answer before it is worked on.
	lump = 16 << 10
)

// turns is what one request knows of its caller's turn.
type turns struct {
	w    Waiter
	held time.Duration // time spent in Resume
	slow bool          // the body made the caller give its turn back
}

func turnsOf(ctx context.Context) *turns {
	w, ok := ctx.Value(waiterKey{}).(Waiter)
	if !ok {
		return &turns{}
	}
	return &turns{w: w}
}

// answered waits for the beginning of the body, without a turn, and then for
// the turn.
func (t *turns) answered(ctx context.Context, resp *http.Response, buffered *bufio.Reader) error {
	if t.w == nil {
		return nil
	}
	if n := min(resp.ContentLength, begun); n > 0 {
		if _, err := buffered.Peek(int(n)); errors.Is(err, ErrSlow) {
			return err
		} // a body that ends early is found by its reader, with a better error
	}
	_, err := t.resume(ctx)
	return err
}

func (t *turns) resume(ctx context.Context) (gaveBack bool, err error) {
	began := time.Now()
	gaveBack, err = t.w.Resume(ctx)
	t.held += time.Since(began)
	return gaveBack, err
}

// read reads from r, and holds the turn for what came, not for the wait. Once
// a body has been silent, it is handed over in lumps: dripping bytes would
// otherwise keep the turn by and by.
func (t *turns) read(ctx context.Context, r io.Reader, p []byte) (int, error) {
	if t.w == nil {
		return r.Read(p)
	}
	t.w.Wait(t.slow)
	n, err := r.Read(p)
	for t.slow && err == nil && n < min(len(p), lump) {
		var more int
		more, err = r.Read(p[n:])
		n += more
	}
	gaveBack, resumeErr := t.resume(ctx)
	t.slow = t.slow || gaveBack
	if err == nil && resumeErr != nil {
		err = resumeErr
	}
	return n, err
}
