package rapisim

import (
	"bufio"
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// What Ganeti's RAPI daemon allows, by default.
const (
	maxClients   = 20               // handled at a time; further ones wait in the TLS handshake
	stallTimeout = 10 * time.Second // for a handshake, a request, a blocked write
	maxHead      = 16 << 10         // bytes of a request; more: closed without an answer
)

// Server answers for one cluster, over TLS, on a port of its own. Like RAPI it
// serves one request per connection and 20 clients at a time.
type Server struct {
	cluster *Cluster
	id      *Identity
	addr    string
	done    chan struct{} // closed by Close
	slots   chan struct{} // one per client being handled; nil: any number
	running sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil while refusing
	conns    map[net.Conn]struct{}
	closed   bool
	faults   []*Fault
	log      []Request
	counts   map[string]int
	total    int
	arrived  chan struct{} // closed by the next request
}

// ServerOption alters what [NewServer] makes.
type ServerOption func(*Server)

// WithIdentity gives the server a key and certificate. Without it, all servers
// share one that is part of this package, and that everybody knows.
func WithIdentity(id *Identity) ServerOption { return func(s *Server) { s.id = id } }

// WithAddress has the server listen there instead of on 127.0.0.1:0.
func WithAddress(addr string) ServerOption { return func(s *Server) { s.addr = addr } }

// WithMaxClients sets how many clients are handled at a time; the others wait
// for their handshake. Default 20, as in RAPI; 0 means any number.
func WithMaxClients(n int) ServerOption {
	return func(s *Server) {
		s.slots = nil
		if n > 0 {
			s.slots = make(chan struct{}, n)
		}
	}
}

// NewServer starts a server for c. It runs until [Server.Close].
func NewServer(c *Cluster, opts ...ServerOption) (*Server, error) {
	s := &Server{
		cluster: c, addr: "127.0.0.1:0",
		done: make(chan struct{}), slots: make(chan struct{}, maxClients),
		conns: make(map[net.Conn]struct{}), counts: make(map[string]int),
		arrived: make(chan struct{}),
	}
	for _, opt := range opts {
		opt(s)
	}
	if s.id == nil {
		id, err := sharedIdentity()
		if err != nil {
			return nil, err
		}
		s.id = id
	}
	if err := s.listen(); err != nil {
		return nil, fmt.Errorf("listening for %s: %w", c.Name(), err)
	}
	s.addr = s.listener.Addr().String()
	return s, nil
}

// Cluster returns the cluster that the server answers for.
func (s *Server) Cluster() *Cluster { return s.cluster }

// Addr returns host:port, which stays the same while the server lives.
func (s *Server) Addr() string { return s.addr }

// URL returns https://host:port.
func (s *Server) URL() string { return "https://" + s.addr }

// Pin returns the certificate's SHA-256; see [Identity.Pin].
func (s *Server) Pin() string { return s.id.Pin() }

// CertificatePEM returns the server's certificate in PEM.
func (s *Server) CertificatePEM() []byte { return s.id.CertificatePEM() }

// Close stops the server, cuts its connections and waits for their end.
func (s *Server) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
		s.stopListening()
		for conn := range s.conns {
			hangUp(conn)
		}
	}
	s.mu.Unlock()
	s.running.Wait()
}

// listen opens the port and accepts connections until it is closed again.
func (s *Server) listen() error {
	var config net.ListenConfig
	l, err := config.Listen(context.Background(), "tcp", s.addr)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		hangUp(l)
		return nil
	}
	s.listener = l
	s.running.Go(func() {
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil { // out of file descriptors, most likely
				s.wait(10 * time.Millisecond)
				continue
			}
			if s.track(conn) {
				s.running.Go(func() {
					defer s.untrack(conn)
					s.handle(conn)
				})
			}
		}
	})
	return nil
}

// stopListening is called with mu held.
func (s *Server) stopListening() {
	if s.listener != nil {
		hangUp(s.listener)
		s.listener = nil
	}
}

func (s *Server) track(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		hangUp(conn)
		return false
	}
	s.conns[conn] = struct{}{}
	return true
}

func (s *Server) untrack(conn net.Conn) {
	hangUp(conn)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
}

// hangUp closes what nobody can be told about any more.
func hangUp(c io.Closer) {
	if err := c.Close(); err != nil {
		return
	}
}

// wait pauses; false when the server is closed meanwhile.
func (s *Server) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.done:
		return false
	}
}

// handle serves one connection; the caller closes it.
func (s *Server) handle(conn net.Conn) {
	if f := s.faultAt(func(f *Fault) bool { return f.connect != nil }); f != nil {
		f.connect(conn)
		return
	}
	if s.slots != nil {
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		case <-s.done:
			return
		}
	}
	secure := tls.Server(conn, s.id.tls)
	if secure.SetDeadline(time.Now().Add(stallTimeout)) != nil || secure.HandshakeContext(context.Background()) != nil {
		return
	}
	req, err := http.ReadRequest(bufio.NewReader(io.LimitReader(secure, maxHead)))
	if err != nil {
		return
	}
	s.record(req)
	out := &sender{server: s, conn: conn, secure: secure, req: req}
	if out.send(s.reply(req)) {
		hangUp(secure)
	}
}

// reply answers a request, and lets a fault have its way with the answer.
// Credentials come first: without them not even a 404 is to be had.
func (s *Server) reply(req *http.Request) *reply {
	r := plainFailure(http.StatusUnauthorized)
	if s.authorized(req) {
		r = s.cluster.answer(req.Method, req.URL.Path, req.URL.RawQuery)
	}
	if f := s.faultAt(func(f *Fault) bool { return f.change != nil && f.concerns(req.URL.Path) }); f != nil {
		f.change(r)
	}
	return r
}

func (s *Server) authorized(req *http.Request) bool {
	user, password, given := req.BasicAuth()
	same := func(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
	return given && same(user, s.cluster.opts.Username) && same(password, s.cluster.opts.Password)
}

// faultAt takes the first fault of that kind that still applies.
func (s *Server) faultAt(kind func(*Fault) bool) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if !kind(f) {
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
			}
		}
		return f
	}
	return nil
}
