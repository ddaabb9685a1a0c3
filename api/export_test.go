package api

import "net/http"

// Handler is what a server answers with.
func Handler(s *Server) http.Handler { return s.http.Handler }

// Waiting is how many requests wait for changes.
func Waiting(s *Server) int {
	w := s.service.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting
}
