package ganeti

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Timeouts bound the phases of one request. Each starts where the one before
// it ended, except Total, which covers the request from dialling to the last
// byte of the body, all addresses that are tried together. The time spent
// waiting for another request of the same [Client] is not counted.
type Timeouts struct {
	// Connect bounds name resolution and the TCP connection.
	Connect time.Duration
	// TLSHandshake bounds the handshake. RAPI accepts a connection while all
	// of its 20 clients are busy and drops idle ones only after 10 s, so a
	// value of 10 s or less fails on a busy cluster.
	TLSHandshake time.Duration
	// FirstByte bounds the wait for the first byte of the answer. One hung
	// node adds 5 s, a stopped luxid answers 504 after 30 s, a hung one only
	// after 180 s.
	FirstByte time.Duration
	// Total bounds the whole request, trickling bodies included.
	Total time.Duration
	// MinThroughput is how many bytes a second of an answer that has begun must
	// arrive, over 15 seconds or FirstByte if that is less. The time that the
	// reader takes between two reads does not count.
	MinThroughput int64
}

// DefaultTimeouts returns 5 s, 15 s, 60 s and 120 s, and 1 KiB a second.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		Connect:      5 * time.Second,
		TLSHandshake: 15 * time.Second,
		FirstByte:    60 * time.Second,
		Total:        120 * time.Second,

		MinThroughput: DefaultMinThroughput,
	}
}

// withDefaults fills zero fields. A default is never longer than a Total that
// was given, so that setting Total alone is enough.
func (t Timeouts) withDefaults() Timeouts {
	d := DefaultTimeouts()
	if t.Total > 0 {
		d.Connect = min(d.Connect, t.Total)
		d.TLSHandshake = min(d.TLSHandshake, t.Total)
		d.FirstByte = min(d.FirstByte, t.Total)
	}
	return Timeouts{
		Connect:      cmp.Or(t.Connect, d.Connect),
		TLSHandshake: cmp.Or(t.TLSHandshake, d.TLSHandshake),
		FirstByte:    cmp.Or(t.FirstByte, d.FirstByte),
		Total:        cmp.Or(t.Total, d.Total),

		MinThroughput: cmp.Or(t.MinThroughput, d.MinThroughput),
	}
}

// Validate checks that every value is positive and that no phase is longer
// than the whole. Its error names the keys and their values.
func (t Timeouts) Validate() error {
	var errs []error
	for _, p := range t.phases() {
		switch {
		case p.after <= 0:
			errs = append(errs, fmt.Errorf("timeouts.%s: must be positive, got %s", p.key, p.after))
		case t.Total > 0 && p.after > t.Total:
			errs = append(errs, fmt.Errorf("timeouts.%s: %s is longer than timeouts.total (%s)", p.key, p.after, t.Total))
		}
	}
	if t.MinThroughput <= 0 {
		errs = append(errs, fmt.Errorf("timeouts.min_throughput: must be positive, got %d", t.MinThroughput))
	}
	return errors.Join(errs...)
}

// Warnings returns a sentence for each value that is legal but unwise on a
// real cluster; nil when there is nothing to say.
func (t Timeouts) Warnings() []string {
	t = t.withDefaults()
	var out []string
	if t.TLSHandshake <= 10*time.Second {
		out = append(out, fmt.Sprintf("timeouts.tls_handshake: %s is too short for a busy RAPI, "+
			"which keeps a new connection waiting for 10 s; set more than 10s", t.TLSHandshake))
	}
	if t.FirstByte <= 30*time.Second {
		out = append(out, fmt.Sprintf("timeouts.first_byte: %s gives up before RAPI reports a stopped luxid "+
			"(504 after 30 s); set more than 30s", t.FirstByte))
	}
	if sum := t.Connect + t.TLSHandshake + t.FirstByte; sum > t.Total {
		out = append(out, fmt.Sprintf("timeouts.total: %s is shorter than connect, tls_handshake and first_byte "+
			"together (%s); the last of them can never be used up", t.Total, sum))
	}
	return out
}

type phase struct {
	key   string
	after time.Duration
}

func (t Timeouts) phases() []phase {
	return []phase{
		{"connect", t.Connect},
		{"tls_handshake", t.TLSHandshake},
		{"first_byte", t.FirstByte},
		{"total", t.Total},
	}
}
