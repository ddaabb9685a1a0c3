package ganeti

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// Resource is the path of a bulk resource.
type Resource string

// The bulk resources of RAPI version 2.
const (
	Instances Resource = "/2/instances"
	Nodes     Resource = "/2/nodes"
	Groups    Resource = "/2/groups"
	Networks  Resource = "/2/networks"
	Jobs      Resource = "/2/jobs"
)

const infoPath = "/2/info"

// Client reads one cluster's RAPI. It is safe for concurrent use and sends one
// request at a time; others wait until theirs is next or their context ends.
// Every request has a connection of its own, because RAPI closes it after the
// answer; the TLS session is resumed.
type Client struct {
	dialer  dialer
	host    string // as in the Host header
	maxBody int64
	turn    chan struct{}
	buffers *sync.Pool
	// Closures, because no formatting verb looks inside: a Client that is
	// printed by mistake shows no password.
	credentials func() (user, password string)
	scrub       func(string) string
}

// New returns a client for the settings, without connecting. It reads
// TLS.CAFile. Most callers want a [Pool].
func New(s Settings) (*Client, error) {
	ca, err := s.TLS.readCA()
	if err != nil {
		return nil, err
	}
	return newClient(s, ca, newBuffers())
}

func newClient(s Settings, ca []byte, buffers *sync.Pool) (*Client, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	host, port, err := s.HostPort()
	if err != nil {
		return nil, err
	}
	cfg, err := s.TLS.config(host, ca)
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort(host, strconv.Itoa(port))
	c := &Client{
		dialer:      dialer{address: address, timeouts: s.Timeouts.withDefaults(), config: cfg},
		host:        address,
		maxBody:     s.maxBody(),
		turn:        make(chan struct{}, 1),
		buffers:     buffers,
		credentials: func() (string, string) { return s.Username, s.Password.Reveal() },
		scrub:       scrubber(s.Username, s.Password.Reveal()),
	}
	return c, nil
}

// String names the cluster's address.
func (c *Client) String() string { return "RAPI at " + c.dialer.address }

// Answer is a small answer, read whole.
type Answer struct {
	// StartedAt is when the request started, UTC to the microsecond.
	StartedAt time.Time
	// Duration is how long it took until the last byte.
	Duration time.Duration
	// Bytes counts the body as received.
	Bytes int64
	// Body is the JSON value without the white space around it.
	Body []byte
}

// Info fetches /2/info. The body is a complete JSON object as far as its
// brackets tell; [DecodeInfo] looks inside.
func (c *Client) Info(ctx context.Context) (Answer, error) { return c.object(ctx, infoPath) }

// Item fetches one object of a resource by its name; instances may be named by
// their uuid too. It has the keys of the bulk answer's item, a node's one more
// (secondary_ip). An object that is not there is ErrNotFound; a job, however,
// is answered with nulls then.
func (c *Client) Item(ctx context.Context, r Resource, name string) (Answer, error) {
	return c.object(ctx, string(r)+"/"+url.PathEscape(name))
}

// object fetches an answer that is one JSON object.
func (c *Client) object(ctx context.Context, path string) (Answer, error) {
	var body []byte
	m, err := c.get(ctx, path, func(r io.Reader, length int64) error {
		buf := c.buffer(length)
		defer c.buffers.Put(buf)
		src := newWindow(r, *buf, c.maxBody)
		object, err := cutObject(src)
		body = bytes.Clone(object)
		*buf = src.release()
		return err
	})
	if err != nil {
		return Answer{}, err
	}
	return Answer{StartedAt: m.startedAt, Duration: m.duration, Bytes: m.bytes, Body: body}, nil
}

// Bulk fetches a resource with bulk=1 and compares its items with the ones on
// record; known may be nil, then every item counts as changed. It returns a
// Delta only for a complete answer.
func (c *Client) Bulk(ctx context.Context, r Resource, known *Index) (*Delta, error) {
	var delta *Delta
	m, err := c.get(ctx, string(r)+"?bulk=1", func(body io.Reader, length int64) error {
		buf := c.buffer(length)
		defer c.buffers.Put(buf)
		src := newWindow(body, *buf, c.maxBody)
		var err error
		delta, err = readArray(src, known)
		*buf = src.release()
		return err
	})
	if err != nil {
		return nil, err
	}
	delta.StartedAt, delta.Duration, delta.Bytes = m.startedAt, m.duration, m.bytes
	return delta, nil
}

// measure is when a request started, how long it took and what it brought.
type measure struct {
	startedAt time.Time
	duration  time.Duration
	bytes     int64
}

// get waits for its turn, sends one request and hands the body of a 200 to
// read, which must consume it to the end.
func (c *Client) get(ctx context.Context, path string, read func(io.Reader, int64) error) (measure, error) {
	if err := c.acquire(ctx); err != nil {
		return measure{}, fmt.Errorf("waiting for another request to %s: %w", c.dialer.address, err)
	}
	defer c.release()
	start := time.Now()
	total, cancel := context.WithTimeout(ctx, c.dialer.timeouts.Total)
	defer cancel()
	n, err := c.exchange(total, path, read)
	if err != nil {
		if _, ok := errors.AsType[*StatusError](err); !ok { // which names the request itself
			err = fmt.Errorf("GET %s: %w", path, c.explain(ctx, total, err))
		}
		return measure{}, fmt.Errorf("%s: %w", c.dialer.address, err)
	}
	return measure{startedAt: start.UTC().Truncate(time.Microsecond), duration: time.Since(start), bytes: n}, nil
}

// explain replaces what a closed connection says by why it was closed.
func (c *Client) explain(caller, total context.Context, err error) error {
	switch {
	case errors.Is(caller.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%w: %w before the answer was complete", ErrTimeout, caller.Err())
	case caller.Err() != nil:
		return caller.Err()
	case total.Err() != nil:
		return &TimeoutError{Phase: "total", After: c.dialer.timeouts.Total}
	default:
		return err
	}
}

func (c *Client) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil { // both cases of the select may be ready
		return err
	}
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Client) release() { <-c.turn }
