// Package api serves what other programs read over HTTP: the cached clusters, VMs and nodes as JSON below /v1, described
// by an OpenAPI document that is made of the Go types, and metrics and health for those who watch the updater.
//
// It declares what it needs of the cache as an interface ([Cache]) and knows neither SQL nor Ganeti. Every request
// passes the gate (gate.go), which knows who asks and bounds size, time and rate; what an operation answers is in one
// file per kind. A handler's failure, a panic included, concerns one request. Every error is a problem document (RFC
// 9457), and nothing that a client wrote reaches the log raw.
package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"ganeticache/printable"
)

// Options are the parts and settings of a [Server]. Address, Gatherer and Ready are required.
type Options struct {
	// Address to listen on, host:port.
	Address string
	// Gatherer has the metrics.
	Gatherer prometheus.Gatherer
	// Ready says why the process cannot do its work; nil when it can. It is called for each request to /readyz. An error that
	// names a cluster is a [NotReadyError].
	Ready func(context.Context) error
	// Warnings are shown by /readyz beside the fact that the process can do its work; nil means none.
	Warnings func() []string
	// Cache is what the read API shows; nil means that there is none, only metrics and health.
	Cache Cache
	// TokensFile names the file with the hashes of the tokens. Without one there are no tokens: the read API answers
	// everybody who reaches it, and therefore listens only on this machine.
	TokensFile string
	// Rate is how many requests a second each token, or each address without one, may send in the long run; 20 when
	// zero.
	Rate int
	// RefreshRate is how many of these a second may have Ganeti asked whatever is cached; 10 when zero.
	RefreshRate int
	// Hosts are the names under which the server is reached, beside addresses, the machine's own name, and names that cannot
	// be registered in the internet.
	Hosts []string
	// Registerer gets the metrics of the server itself; nil registers none.
	Registerer prometheus.Registerer
	// Secret keys what the API hands out and wants to recognise. Updaters that share a database share it.
	Secret []byte
	// Version is shown in the OpenAPI document.
	Version string
	// Logger gets the errors that callers only hear of in general terms; nil logs nothing.
	Logger *zap.Logger
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// WatchEvery is how often the database is asked for changes while requests wait for some; 500 ms when zero.
	WatchEvery time.Duration
}

// Server is a listening HTTP server. Make one with [Listen].
type Server struct {
	listener net.Listener
	http     *http.Server
	// service is nil when there is no read API.
	service *service
}

// Limits on one connection. What concerns a request is in gate.go.
const (
	headerTimeout = 10 * time.Second
	// hardHeader is where net/http itself gives up, with an answer that is no problem document; maxHeader comes first.
	hardHeader = 64 << 10
)

var errNeedsTokens = errors.New("without tokens the read API answers everybody who reaches it, so it listens only on " +
	"loopback addresses such as 127.0.0.1:9150; set api.tokens_file, or switch the read API off with api.enabled: false")

// Listen opens the address. Its error names the address and what is wrong with it.
func Listen(ctx context.Context, o Options) (*Server, error) {
	o.fill()
	handler, s, err := newHandler(o)
	if err != nil {
		return nil, err
	}
	lc := net.ListenConfig{Control: func(_, address string, _ syscall.RawConn) error {
		if o.Cache != nil && o.TokensFile == "" && !loopback(address) {
			return errNeedsTokens
		}
		return nil
	}}
	l, err := lc.Listen(ctx, "tcp", o.Address)
	if err != nil {
		if errors.Is(err, errNeedsTokens) {
			err = errNeedsTokens
		}
		return nil, fmt.Errorf("listening on %s (the configuration's `listen`; empty means no listener): %w", o.Address, err)
	}
	return &Server{listener: l, service: s, http: &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout, WriteTimeout: 2 * headerTimeout,
		IdleTimeout: time.Minute, MaxHeaderBytes: hardHeader, DisableGeneralOptionsHandler: true,
		ErrorLog: zap.NewStdLog(zap.New(quietCore{o.Logger.Core()})),
	}}, nil
}

func (o *Options) fill() {
	if o.Rate <= 0 {
		o.Rate = 20
	}
	if o.RefreshRate <= 0 {
		o.RefreshRate = 10
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.WatchEvery <= 0 {
		o.WatchEvery = watchEvery
	}
}

// loopback says whether an address, with or without a port, is only reached from this machine.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// newHandler puts the routes behind the gate.
func newHandler(o Options) (h http.Handler, s *service, err error) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil) })
	mux.HandleFunc("GET /readyz", ready(o))
	g, err := newGate(mux, o)
	if err != nil {
		return nil, nil, err
	}
	if o.Cache == nil {
		return g, nil, nil
	}
	if o.TokensFile != "" {
		if g.tokens, err = openTokens(o.TokensFile, o.Logger, o.Now); err != nil {
			return nil, nil, err
		}
	}
	s, err = newService(o)
	if err != nil {
		return nil, nil, err
	}
	if err := s.routes(mux, o.Version, g.tokens != nil); err != nil {
		return nil, nil, err
	}
	return g, s, nil
}

// Address is where the server listens, with the port that the system chose when port 0 was asked for.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Serve answers requests until ctx ends, and then waits a moment for those under way; who waits for changes is answered
// at once. It returns nil then.
func (s *Server) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		if s.service != nil {
			s.service.watch.close()
		}
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

// answer writes a health check's outcome as one line of text, or as a problem.
func answer(w http.ResponseWriter, err error) {
	if err != nil {
		writeProblem(w, problem(http.StatusServiceUnavailable, "%s", printable.Text(err.Error())))
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	// The client may have left; there is nobody to tell.
	w.Write([]byte("ok\n")) //nolint:errcheck,gosec // see above
}
