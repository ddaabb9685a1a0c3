package rapisim

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// recordSize is the most that one TLS record carries; shorter answers are sent
// in one, head and body together.
const recordSize = 16 << 10

// sender sends one reply over one connection.
type sender struct {
	server *Server
	conn   net.Conn
	secure *tls.Conn
	req    *http.Request
	sent   int64 // bytes of the body
}

// send reports whether the reply went out whole, so that the connection may
// end in good order. A cut one is closed without TLS's farewell.
func (o *sender) send(r *reply) bool {
	if r.delay > 0 && !o.server.wait(r.delay) {
		return false
	}
	if r.hang {
		o.hang()
		return false
	}
	proto := "HTTP/1.1"
	if !o.req.ProtoAtLeast(1, 1) {
		proto = "HTTP/1.0"
	}
	head := r.head(proto, time.Now())
	if o.req.Method == http.MethodHead {
		return o.write(head)
	}
	if !o.sendBody(head, r) {
		return false
	}
	for r.endless != nil {
		if !o.write(r.endless) {
			return false
		}
	}
	return r.cut < 0
}

// sendBody puts small parts together and sends large ones as they are.
func (o *sender) sendBody(pending []byte, r *reply) bool {
	for part := range r.body {
		if r.cut >= 0 {
			part = part[:min(int64(len(part)), r.cut-o.sent)]
		}
		o.sent += int64(len(part))
		if len(pending)+len(part) <= recordSize && r.rate == 0 {
			pending = append(pending, part...)
			continue
		}
		if len(pending) > 0 && !o.write(pending) {
			return false
		}
		pending = pending[:0]
		if r.rate > 0 {
			if !o.trickle(part, r.rate) {
				return false
			}
			continue
		}
		if !o.write(part) {
			return false
		}
	}
	return len(pending) == 0 || o.write(pending)
}

// trickle sends part at so many bytes a second.
func (o *sender) trickle(part []byte, rate int) bool {
	const perSecond = 50
	step := max(rate/perSecond, 1)
	pause := time.Second * time.Duration(step) / time.Duration(rate)
	for len(part) > 0 {
		n := min(step, len(part))
		if !o.write(part[:n]) || !o.server.wait(pause) {
			return false
		}
		part = part[n:]
	}
	return true
}

// write sends b, unless the client stops reading for longer than RAPI waits.
func (o *sender) write(b []byte) bool {
	if err := o.secure.SetWriteDeadline(time.Now().Add(stallTimeout)); err != nil {
		return false
	}
	_, err := o.secure.Write(b)
	return err == nil
}

// hang keeps the client waiting until it leaves, or the server is closed.
func (o *sender) hang() {
	if o.secure.SetDeadline(time.Time{}) != nil {
		return
	}
	drain(o.conn)
}
