// Package api serves what other programs read over HTTP: metrics and health. It never asks a cluster, and holds no
// state of its own; a handler's failure concerns one request.
package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options are the parts of a [Server]; all are required.
type Options struct {
	// Address to listen on, host:port.
	Address string
	// Gatherer has the metrics.
	Gatherer prometheus.Gatherer
	// Ready says why the process cannot do its work; nil when it can. It is called for each request to /readyz.
	Ready func(context.Context) error
}

// Server is a listening HTTP server. Make one with [Listen].
type Server struct {
	listener net.Listener
	http     *http.Server
}

// Limits on one request: the answers are small and quick, so whoever takes longer is broken or means harm.
const (
	requestTimeout = 10 * time.Second
	maxHeader      = 16 << 10
)

// Listen opens the address. Its error names the address and what is wrong with it.
func Listen(ctx context.Context, o Options) (*Server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s (the configuration's `listen`; empty means no listener): %w", o.Address, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { answer(w, o.Ready(r.Context())) })
	return &Server{listener: l, http: &http.Server{
		Handler:           http.TimeoutHandler(mux, requestTimeout, "the answer took too long\n"),
		ReadHeaderTimeout: requestTimeout, ReadTimeout: requestTimeout, WriteTimeout: 2 * requestTimeout,
		IdleTimeout: time.Minute, MaxHeaderBytes: maxHeader,
	}}, nil
}

// Address is where the server listens, with the port that the system chose when port 0 was asked for.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Serve answers requests until ctx ends, and then waits a moment for those under way. It returns nil then.
func (s *Server) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if err := s.http.Shutdown(grace); err != nil {
			// Who has not been answered by now loses the connection.
			s.http.Close() //nolint:gosec // nothing is left to be done about it
		}
	})
	defer stop()
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving on %s: %w", s.Address(), err)
	}
	return nil
}

// answer writes a health check's outcome as one line of text.
func answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	line := "ok\n"
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		line = err.Error() + "\n"
	}
	// The client may have left; there is nobody to tell.
	w.Write([]byte(line)) //nolint:errcheck,gosec // see above
}
