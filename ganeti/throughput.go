package ganeti

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

const (
	// DefaultMinThroughput is a modem of long ago: whoever sends less does not
	// send, but drips.
	DefaultMinThroughput = 1 << 10
	// throughputWindow is the time over which the throughput counts, so that a
	// pause of a real network fails nothing.
	throughputWindow = 15 * time.Second
)

// SlowError is an answer that began, and then came more slowly than
// Timeouts.MinThroughput allows.
type SlowError struct {
	// Bytes came within After; Least is what was wanted, in bytes a second.
	Bytes, Least int64
	After        time.Duration
}

// Error says how slow it was and what usually causes it.
func (e *SlowError) Error() string {
	return fmt.Sprintf("%s: %d bytes of it in %s, at least %d a second are wanted (timeouts.min_throughput); check the network and the load "+
		"of the master node", ErrSlow, e.Bytes, e.After, e.Least)
}

// Is makes every SlowError an ErrSlow.
func (e *SlowError) Is(target error) bool { return target == ErrSlow }

// meter reads from a connection, and fails where less than the least
// throughput arrives in a window. Only the time in Read counts: what the
// reader does between is not the cluster's delay.
type meter struct {
	conn   net.Conn
	least  int64 // bytes a second
	window time.Duration
	on     bool // the answer has begun; before, other time-outs hold

	waited time.Duration // within this window
	got    int64
}

func newMeter(conn net.Conn, t Timeouts) *meter {
	return &meter{conn: conn, least: t.MinThroughput, window: min(throughputWindow, t.FirstByte)}
}

// Read returns a SlowError when the window has passed with too few bytes.
func (m *meter) Read(p []byte) (int, error) {
	if !m.on {
		return m.conn.Read(p)
	}
	for {
		began := time.Now()
		if err := m.conn.SetReadDeadline(began.Add(m.window - m.waited)); err != nil {
			return 0, err
		}
		n, err := m.conn.Read(p)
		m.waited += time.Since(began)
		m.got += int64(n)
		late := errors.Is(err, os.ErrDeadlineExceeded)
		if late || m.waited >= m.window {
			if ended := err != nil && !late; !ended && m.got < int64(m.window.Seconds()*float64(m.least)) {
				return n, &SlowError{Bytes: m.got, Least: m.least, After: m.window}
			}
			m.waited, m.got = 0, 0
		}
		if !late {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
	}
}
