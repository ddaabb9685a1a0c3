package db

import (
	"context"
	"net"
	"sync/atomic"
	"time"
)

// defaultSilence is far above what any statement takes, and above the server's own limits of a transaction (limits).
const defaultSilence = time.Minute

// patience dials servers and bounds the wait for them to say something. Without it a statement whose packets vanish (a
// firewall that forgot the connection, a proxy whose server is gone, a server that stands still) returns only after TCP
// has given up, a quarter of an hour later or never, whatever its context says: the driver answers the end of a context by
// asking the server to cancel, and then waits for what the server says to that.
type patience struct {
	dialer net.Dialer
	// silence is the time that a server may say nothing while it is waited for.
	silence time.Duration
	// waived is not 0 while statements run that may take as long as they like.
	waived atomic.Int32
}

// waive lifts the limit until the function it returns is called.
func (p *patience) waive() (restore func()) {
	if p == nil {
		return func() {}
	}
	p.waived.Add(1)
	return func() { p.waived.Add(-1) }
}

// until is the moment when a wait that begins now is given up.
func (p *patience) until() time.Time {
	if p.waived.Load() != 0 {
		return time.Time{}
	}
	return time.Now().Add(p.silence)
}

// Dial implements pq.Dialer.
func (p *patience) Dial(network, address string) (net.Conn, error) {
	return p.DialContext(context.Background(), network, address)
}

// DialTimeout implements pq.Dialer.
func (p *patience) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return p.DialContext(ctx, network, address)
}

// DialContext implements pq.DialerContext.
func (p *patience) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := p.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &patientConn{Conn: conn, patience: p}, nil
}

// patientConn is a connection whose reads and writes end in time. While a COPY runs, the driver reads and writes at once:
// each write is a sign of life that the read waits for too.
type patientConn struct {
	net.Conn
	patience *patience
	// connecting is the driver's own deadline, which it sets for the handshake and then lifts.
	connecting time.Time
}

// SetDeadline implements net.Conn; the driver calls it before and after the handshake.
func (c *patientConn) SetDeadline(t time.Time) error {
	c.connecting = t
	return c.Conn.SetDeadline(t)
}

// Read implements net.Conn.
func (c *patientConn) Read(b []byte) (int, error) {
	if c.connecting.IsZero() {
		if err := c.SetReadDeadline(c.patience.until()); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(b)
}

// Write implements net.Conn.
func (c *patientConn) Write(b []byte) (int, error) {
	if c.connecting.IsZero() {
		if err := c.Conn.SetDeadline(c.patience.until()); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(b)
}
