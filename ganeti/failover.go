package ganeti

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// measure is which address answered, when its request started, how long that
// took and what it brought.
type measure struct {
	address   Address
	startedAt time.Time
	// date is the time that the answer names, zero if it names none.
	date     time.Time
	duration time.Duration
	bytes    int64
}

// get waits for its turn, sends one request, to one address after the other,
// and hands the body of a 200 to read, which must consume it to the end. Read
// is called once at most: an answer that has begun is tried nowhere else.
func (c *Client) get(ctx context.Context, path string, read func(io.Reader, int64) error) (measure, error) {
	if err := c.acquire(ctx); err != nil {
		return measure{}, fmt.Errorf("waiting for another request to %s: %w", c, err)
	}
	defer c.release()
	total, cancel := context.WithTimeout(ctx, c.total)
	defer cancel()
	var said []error
	for first, i := int(c.serving.Load()), 0; i < len(c.dialers); i++ {
		n := (first + i) % len(c.dialers)
		m, err := c.ask(ctx, total, &c.dialers[n], path, read)
		if err == nil {
			c.start(n)
			return m, nil
		}
		said = append(said, fmt.Errorf("%s: %w", c.dialers[n].address, err))
		if usedUp(err) {
			// Or an address that hangs would keep every request from the others.
			c.start(n + 1)
		}
		if !elsewhere(err) {
			break
		}
	}
	return measure{}, joinRound(said)
}

// ask sends the request to one address. Its error does not name the address.
func (c *Client) ask(
	ctx, total context.Context, d *dialer, path string, read func(io.Reader, int64) error,
) (measure, error) {
	start := time.Now()
	turn := turnsOf(ctx)
	n, date, err := c.exchange(total, d, turn, path, read)
	if err != nil {
		if _, ok := errors.AsType[*StatusError](err); ok { // which names the request itself
			return measure{}, err
		}
		return measure{}, fmt.Errorf("GET %s: %w", path, c.explain(ctx, total, err))
	}
	return measure{
		address: d.address, startedAt: start.UTC().Truncate(time.Microsecond), date: date,
		duration: time.Since(start) - turn.held, bytes: n,
	}, nil
}

// explain replaces what a closed connection says by why it was closed.
func (c *Client) explain(caller, total context.Context, err error) error {
	switch {
	case errors.Is(ended(caller), context.DeadlineExceeded):
		return fmt.Errorf("%w: %w before the answer was complete", ErrTimeout, context.DeadlineExceeded)
	case caller.Err() != nil:
		return caller.Err()
	case ended(total) != nil:
		return &TimeoutError{Phase: "total", After: c.total}
	default:
		return err
	}
}

// start makes an address, given by its index, the first that is asked.
func (c *Client) start(n int) {
	c.serving.Store(int64(n % len(c.dialers)))
}

// Distrust says that an address which served turned out to be another
// cluster's: the next request begins with the address behind it.
func (c *Client) Distrust(a Address) {
	n := slices.IndexFunc(c.dialers, func(d dialer) bool { return d.address == a })
	if n >= 0 && int(c.serving.Load()) == n {
		c.start(n + 1)
	}
}

// elsewhere says whether another address may know better: this one is not
// there, is not trusted, or has no master behind it. A phase that took too long
// counts, since a node that hangs after a failover would otherwise be waited
// for as long as it hangs; the total does not, for it is everybody's.
func elsewhere(err error) bool {
	if status, ok := errors.AsType[*StatusError](err); ok {
		return slices.Contains([]int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, status.Status)
	}
	if timeout, ok := errors.AsType[*TimeoutError](err); ok {
		return timeout.Phase != "total"
	}
	return errors.Is(err, ErrRefused) || errors.Is(err, ErrTLS) || errors.Is(err, errNoAnswer)
}

// usedUp says whether an address took the time that others needed too.
func usedUp(err error) bool {
	if errors.Is(err, ErrSlow) {
		return true
	}
	timeout, ok := errors.AsType[*TimeoutError](err)
	return ok && timeout.Phase == "total"
}

// roundError is what several addresses said of one request.
type roundError struct {
	text string
	// causes holds the error that says what the request failed of in front of the others.
	causes []error
}

// joinRound makes one error of what each address said, in the order they were
// asked. A final answer decides what it is, else the address that served last.
func joinRound(said []error) error {
	last := len(said) - 1
	if last == 0 {
		return said[0]
	}
	texts := make([]string, 0, len(said))
	for _, err := range said {
		texts = append(texts, err.Error())
	}
	causes := said
	if !elsewhere(said[last]) && !usedUp(said[last]) {
		causes = append([]error{said[last]}, said[:last]...)
	}
	return &roundError{text: strings.Join(texts, "; then "), causes: causes}
}

// Error gives what each address said, once.
func (e *roundError) Error() string { return e.text }

// Unwrap makes errors.Is and errors.As see every one of them.
func (e *roundError) Unwrap() []error { return e.causes }
