package ganeti

import (
	"bytes"
	"context"
	"io"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
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
//
// A cluster may have several addresses, of which one is the master's. A request
// goes to the one that served last, and on to the next, once round the list,
// while an address cannot be reached, fails the TLS check, closes the
// connection without an answer, lets a phase time out before the answer begins,
// or answers 502, 503 or 504. Any other answer is the cluster's and final.
// Timeouts.Total covers all addresses together, and each answer is whole from
// one of them: it says from which, and the caller has to make sure that it is
// the same cluster.
type Client struct {
	dialers []dialer // one for each address, in the order of the settings
	// serving is the index of the address to ask first.
	serving atomic.Int64
	// expires is when the certificate of the last handshake does, in seconds since 1970; 0 before it.
	expires atomic.Int64
	total   time.Duration
	maxBody int64
	turn    chan struct{}
	buffers *sync.Pool
	// Closures, because no formatting verb looks inside: a Client that is
	// printed by mistake shows no password.
	credentials func() (user, password string)
	scrub       func(string) string
	// passwordHint is what is odd about the password.
	passwordHint string
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
	addresses, err := s.Addresses()
	if err != nil {
		return nil, err
	}
	timeouts := s.Timeouts.withDefaults()
	c := &Client{
		total:       timeouts.Total,
		maxBody:     s.maxBody(),
		turn:        make(chan struct{}, 1),
		buffers:     buffers,
		credentials: func() (string, string) { return s.Username, s.Password.Reveal() },
		scrub:       scrubber(s.Username, s.Password.Reveal()),

		passwordHint: s.Password.Explain(s.PasswordSource, s.Username),
	}
	for i, a := range addresses {
		cfg, err := s.TLS.config(a.Host, ca)
		if err != nil {
			return nil, err
		}
		c.dialers = append(c.dialers, dialer{address: a, timeouts: timeouts, config: cfg})
		if a == s.Start {
			c.start(i)
		}
	}
	return c, nil
}

// String names the cluster's addresses.
func (c *Client) String() string {
	names := make([]string, 0, len(c.dialers))
	for _, d := range c.dialers {
		names = append(names, d.address.String())
	}
	return "RAPI at " + strings.Join(names, ", ")
}

// CertificateExpires returns the end of validity of the certificate that RAPI
// showed last, however it was verified: a pin outlives it, an authority's does
// not. The zero time before the first handshake. Safe for concurrent use.
func (c *Client) CertificateExpires() time.Time {
	seconds := c.expires.Load()
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// Answer is a small answer, read whole.
type Answer struct {
	// StartedAt is when the request started, UTC to the microsecond.
	StartedAt time.Time
	// Date is the time that the answer's header names: the cluster's clock, to the second. Zero if it names none.
	Date time.Time
	// Duration is how long it took until the last byte.
	Duration time.Duration
	// Bytes counts the body as received.
	Bytes int64
	// Address is the one that answered.
	Address Address
	// Body is the JSON value without the white space around it.
	Body []byte
}

// Info fetches /2/info. The body is a complete JSON object as far as its
// brackets tell; [DecodeInfo] looks inside.
func (c *Client) Info(ctx context.Context) (Answer, error) {
	a, err := c.object(ctx, infoPath)
	a.Body = flatten(a.Body)
	return a, err
}

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
	return Answer{StartedAt: m.startedAt, Date: m.date, Duration: m.duration, Bytes: m.bytes, Address: m.address, Body: body}, nil
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
	delta.StartedAt, delta.Date = m.startedAt, m.date
	delta.Duration, delta.Bytes, delta.Address = m.duration, m.bytes, m.address
	return delta, nil
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
