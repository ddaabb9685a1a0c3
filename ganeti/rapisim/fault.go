package rapisim

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Fault is one way for a server to misbehave; see [Server.Hurt]. The functions
// below make them; [Fault.On] and [Fault.For] narrow them down.
type Fault struct {
	// Paths it concerns, without query; one that ends with "*" stands for all
	// that begin so. None: all. It says nothing to faults that strike before
	// there is a request: [Refuse], [Reset], [HangHandshake], [NoTLS].
	Paths []string
	// Times is how many requests it strikes; 0: until [Server.Heal].
	Times int

	refuse  bool
	connect func(net.Conn)
	change  func(*reply)
}

// On returns f for these paths only.
func (f Fault) On(paths ...string) Fault {
	f.Paths = paths
	return f
}

// For returns f for the next n requests only.
func (f Fault) For(n int) Fault {
	f.Times = n
	return f
}

// And returns a fault that is both: Latency(time.Second).And(Status(502)).
// Both must be faults that strike an answer.
func (f Fault) And(g Fault) Fault {
	first, second := f.change, g.change
	if first == nil || second == nil {
		return f
	}
	f.change = func(r *reply) { first(r); second(r) }
	return f
}

func (f *Fault) concerns(path string) bool {
	return len(f.Paths) == 0 || slices.ContainsFunc(f.Paths, func(p string) bool {
		prefix, all := strings.CutSuffix(p, "*")
		return p == path || all && strings.HasPrefix(path, prefix)
	})
}

// Hurt adds faults. Each request is struck by the first one that concerns it
// and has not struck often enough, so that several make a sequence.
func (s *Server) Hurt(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		if f.refuse {
			s.stopListening()
			continue
		}
		s.faults = append(s.faults, &f)
	}
}

// Heal ends all faults. After [Refuse] it waits until the port is the server's
// own again.
func (s *Server) Heal() {
	s.mu.Lock()
	s.faults = nil
	deaf := s.listener == nil && !s.closed
	s.mu.Unlock()
	for deaf {
		if s.listen() == nil {
			return
		}
		deaf = s.wait(10 * time.Millisecond)
	}
}

func changes(change func(*reply)) Fault { return Fault{change: change} }

// Latency has answers wait.
func Latency(d time.Duration) Fault { return changes(func(r *reply) { r.delay = d }) }

// Hang never answers; the connection stays open until the client leaves.
func Hang() Fault { return changes(func(r *reply) { r.hang = true }) }

// Refuse closes the port, until [Server.Heal]: no count applies, since a
// refused connection is not seen.
func Refuse() Fault { return Fault{refuse: true} }

// Reset accepts connections and resets them.
func Reset() Fault {
	return Fault{connect: func(conn net.Conn) {
		if tcp, isTCP := conn.(*net.TCPConn); isTCP && tcp.SetLinger(0) != nil {
			return
		}
	}}
}

// HangHandshake accepts connections and never answers the TLS handshake, as
// RAPI does while it serves as many clients as it may.
func HangHandshake() Fault { return Fault{connect: drain} }

// NoTLS answers in clear text.
func NoTLS() Fault {
	return Fault{connect: func(conn net.Conn) {
		if _, err := io.WriteString(conn, "HTTP/1.0 400 Bad Request\r\n\r\nThis is not HTTPS.\n"); err == nil {
			drain(conn)
		}
	}}
}

// drain reads until the client leaves, or the server is closed.
func drain(conn net.Conn) {
	if _, err := io.Copy(io.Discard, conn); err != nil {
		return
	}
}

// Status answers with that status and the body Ganeti has for it: 401, 403,
// 404, 500, 502, 504 as recorded.
func Status(code int) Fault {
	message := http.StatusText(code)
	switch code {
	case http.StatusBadGateway:
		message = "Can't connect to master daemon: /var/run/ganeti/socket/ganeti-query"
	case http.StatusInternalServerError:
		message = "Query 'ItemTypeOpCode QRCluster' not supported"
	}
	return changes(func(r *reply) {
		failed := failure(code, message)
		r.status = code
		r.body, r.length = failed.body, failed.length
	})
}

// HTML answers with that status and a page, as a proxy in between would.
func HTML(status int) Fault {
	page := "<!DOCTYPE html>\n<html><head><title>Log in</title></head><body><h1>Log in</h1></body></html>\n"
	return changes(func(r *reply) {
		r.status, r.contentType = status, "text/html"
		r.setBody([]byte(page))
	})
}

// Body answers 200 with those bytes.
func Body(b []byte) Fault {
	return changes(func(r *reply) {
		r.status = http.StatusOK
		r.setBody(bytes.Clone(b))
	})
}

// EmptyList answers 200 with an empty list.
func EmptyList() Fault { return Body([]byte("[]\n")) }

// Garbage sends the answer with the bytes of its second half replaced.
func Garbage() Fault {
	return changes(func(r *reply) {
		whole := r.whole()
		if _, err := rand.NewChaCha8([32]byte{}).Read(whole[len(whole)/2:]); err == nil {
			r.setBody(whole)
		}
	})
}

// CutBody closes the connection after that many bytes of the body.
func CutBody(at int64) Fault { return changes(func(r *reply) { r.cut = max(at, 0) }) }

// WrongLength declares a Content-Length that is off by that much.
func WrongLength(by int64) Fault {
	return changes(func(r *reply) { r.length = max(r.length+by, 0) })
}

// Trickle sends the body at that many bytes a second.
func Trickle(bytesPerSecond int) Fault {
	return changes(func(r *reply) { r.rate = max(bytesPerSecond, 1) })
}

// Endless sends a list that never ends, without a Content-Length.
func Endless() Fault {
	return changes(func(r *reply) {
		whole := bytes.TrimRight(r.whole(), "]\n")
		if len(whole) < len("[{}") {
			whole = []byte("[{}")
		}
		r.setBody(whole)
		r.endless = bytes.Repeat(append([]byte(", "), whole[1:]...), 1+recordSize/len(whole))
	})
}
