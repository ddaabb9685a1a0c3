package rapisim

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// maxRequests is how many requests a server remembers one by one.
const maxRequests = 4096

// Request is one request that reached a server, whatever became of it.
type Request struct {
	At                  time.Time
	Method, Path, Query string
}

// Requests returns the latest requests, oldest first, 4,096 at most.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.log...)
}

// Count returns how often a path was asked for, whatever its query.
func (s *Server) Count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[path]
}

// Total returns how many requests there were.
func (s *Server) Total() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// Await waits until there were n requests, or ctx ends: the moment to act
// while a client waits for a hanging server, say.
func (s *Server) Await(ctx context.Context, n int) error {
	for {
		s.mu.Lock()
		enough, arrived := s.total >= n, s.arrived
		s.mu.Unlock()
		if enough {
			return nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return fmt.Errorf("waiting for request %d of %s: %w", n, s.cluster.Name(), ctx.Err())
		}
	}
}

// Forget sets all counts back to zero.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log, s.total = nil, 0
	clear(s.counts)
}

func (s *Server) record(req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[req.URL.Path]++
	s.total++
	close(s.arrived)
	s.arrived = make(chan struct{})
	if len(s.log) == maxRequests {
		s.log = s.log[1:]
	}
	s.log = append(s.log, Request{
		At: time.Now(), Method: req.Method, Path: req.URL.Path, Query: req.URL.RawQuery,
	})
}
