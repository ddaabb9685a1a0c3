package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"ganeticache/printable"
)

// Limits on one request.
const (
	// maxHeader bounds the header lines together, maxURL the address, maxBody what is sent, in bytes: nothing that the API
	// understands is larger, and a body means nothing to it at all.
	maxHeader = 16 << 10
	maxURL    = 8 << 10
	maxBody   = 64 << 10
	// requestTimeout bounds a request that waits for nobody else, readTimeout one that may wait for Ganeti, and
	// refreshTimeout a refresh on demand: RAPI may take two minutes for each kind.
	requestTimeout = 10 * time.Second
	readTimeout    = 60 * time.Second
	refreshTimeout = 5 * time.Minute
	// writeGrace is how long a client may take to receive its answer.
	writeGrace = 10 * time.Second
)

// gate is what every request passes first.
type gate struct {
	mux     *http.ServeMux
	tokens  *tokens // nil: none are needed, since only this machine gets here
	perKey  *limiters
	asking  *limiters
	failed  *limiters
	hosts   hosts
	origins *http.CrossOriginProtection
	refused *prometheus.CounterVec
	log     *zap.Logger
	now     func() time.Time
	// said limits the lines about refused tokens: whoever sends many must not fill the disk.
	said *rate.Limiter
}

func newGate(mux *http.ServeMux, o Options) (*gate, error) {
	refused, err := countRefused(o.Registerer)
	if err != nil {
		return nil, err
	}
	return &gate{
		mux: mux, perKey: newLimiters(o.Rate, o.Now), asking: newLimiters(o.RefreshRate, o.Now), failed: newLimiters(5, o.Now),
		hosts: newHosts(o), refused: refused,
		origins: http.NewCrossOriginProtection(), log: o.Logger, now: o.Now, said: rate.NewLimiter(1, 5),
	}, nil
}

// ServeHTTP implements [http.Handler].
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := g.now()
	rec := &recorder{ResponseWriter: w}
	pattern, who := "", caller{}
	defer func() {
		if v := recover(); v != nil {
			g.recovered(rec, pattern, v)
		}
		g.log.Debug("answered", zap.String("route", pattern), zap.Int("status", rec.status), zap.String("caller", who.name),
			zap.String("address", r.RemoteAddr), zap.Duration("duration", g.now().Sub(began)))
	}()
	secureHeaders(rec.Header())
	err := checkForm(r)
	if err == nil {
		pattern, err = g.route(rec, r)
	}
	if err == nil {
		who, err = g.admit(r, pattern)
	}
	if err == nil {
		err = takeBody(rec, r)
	}
	if err != nil {
		writeProblem(rec, err)
		return
	}
	limit := timeLimit(pattern)
	if r.URL.Query().Get("cache") == "refresh" {
		// Whoever insists gets an answer or the cluster's error, and waits as long as that may take.
		limit = refreshTimeout
	}
	control := http.NewResponseController(w)
	// The body has been read. Without this the end of ReadTimeout would end a request that waits (golang/go#59017).
	_ = control.SetReadDeadline(time.Time{})                                //nolint:errcheck // only tests lack deadlines
	_ = control.SetWriteDeadline(time.Now().Add(limit).Add(2 * writeGrace)) //nolint:errcheck // likewise
	ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), callerKey{}, who), limit)
	defer cancel()
	g.mux.ServeHTTP(rec, r.WithContext(ctx))
}

// secureHeaders tells browsers that nothing here is a page.
func secureHeaders(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// checkForm refuses what no client of ours sends, before anything looks at it.
func checkForm(r *http.Request) error {
	if len(r.RequestURI) > maxURL {
		return problem(http.StatusRequestURITooLong, "the address is longer than %d bytes", maxURL)
	}
	size := 0
	for k, vs := range r.Header {
		for _, v := range vs {
			size += len(k) + len(v)
		}
	}
	if size > maxHeader {
		return problem(http.StatusRequestHeaderFieldsTooLarge, "the header is larger than %d bytes", maxHeader)
	}
	p := r.URL.Path
	if !strings.HasPrefix(p, "/") || path.Clean(p) != p || printable.Text(p) != p || strings.Contains(p, `\`) {
		return problem(http.StatusNotFound, "there is nothing at this path; /v1/openapi.json lists what there is")
	}
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
		return problem(http.StatusBadRequest, "the query cannot be read: each name and value must be percent-encoded")
	}
	return nil
}

// route finds the route's pattern. What the mux would answer by itself is no problem document.
func (g *gate) route(w http.ResponseWriter, r *http.Request) (string, error) {
	h, pattern := g.mux.Handler(r)
	if pattern != "" {
		return pattern, nil
	}
	// Its handler knows which methods there are.
	probe := &recorder{ResponseWriter: discard{http.Header{}}}
	h.ServeHTTP(probe, r)
	if allow := probe.Header().Get("Allow"); allow != "" {
		w.Header().Set("Allow", allow)
		return "", problem(http.StatusMethodNotAllowed, "this path takes %s only", allow)
	}
	return "", problem(http.StatusNotFound, "there is nothing at this path; /v1/openapi.json lists what there is")
}

// needsToken says whether a route shows what is cached. The others are for machines that watch the updater.
func needsToken(pattern string) bool {
	return strings.Contains(pattern, " /v1/") && !strings.Contains(pattern, "/v1/openapi")
}

// identify finds the token's owner.
func (g *gate) identify(r *http.Request) (caller, error) {
	refused := func(text string) error {
		return withHeader(problem(http.StatusUnauthorized, "%s", text), "WWW-Authenticate", `Bearer realm="ganeti-cache-updater"`)
	}
	values := r.Header["Authorization"]
	if len(values) != 1 {
		return caller{}, refused("send a token, once: Authorization: Bearer TOKEN")
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxToken {
		return caller{}, refused("send a token: Authorization: Bearer TOKEN")
	}
	who, ok := g.tokens.find(token)
	if !ok {
		return caller{}, refused("the token is unknown")
	}
	return who, nil
}

// takeBody reads what was sent and forgets it: no operation has a body, but some clients send one.
func takeBody(w http.ResponseWriter, r *http.Request) error {
	tooLarge := problem(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes; no operation has one", maxBody)
	if r.ContentLength > maxBody {
		w.Header().Set("Connection", "close")
		return tooLarge
	}
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		w.Header().Set("Connection", "close")
		if _, isLarge := err.(*http.MaxBytesError); isLarge { //nolint:errorlint // the reader returns it as it is
			return tooLarge
		}
		return problem(http.StatusBadRequest, "the body cannot be read")
	}
	r.Body = http.NoBody
	return nil
}

func timeLimit(pattern string) time.Duration {
	switch {
	case strings.HasSuffix(pattern, "/refresh"):
		return refreshTimeout
	case strings.HasSuffix(pattern, "/v1/changes"):
		return maxWait + requestTimeout
	case strings.Contains(pattern, " /v1/"):
		return readTimeout
	default:
		return requestTimeout
	}
}

// recovered ends a request that panicked. The stack is for the log alone.
func (g *gate) recovered(w *recorder, pattern string, v any) {
	if v == http.ErrAbortHandler { //nolint:errorlint // the very value that handlers panic with
		panic(v)
	}
	g.log.Error("a request panicked (a defect, please report it)", zap.String("route", pattern),
		zap.String("panic", cut(printable.Text(fmt.Sprint(v)))))
	g.log.Debug("stack of the panic", zap.ByteString("stack", debug.Stack()))
	if w.status == 0 {
		writeProblem(w, problem(http.StatusInternalServerError, "%s", internal))
	}
}

type callerKey struct{}

// callerOf gives who asks; the zero caller, who sees nothing, when nobody was admitted.
func callerOf(ctx context.Context) caller {
	who, _ := ctx.Value(callerKey{}).(caller)
	return who
}

// repeated finds a parameter that was given twice although it is no list.
func repeated(q url.Values, lists []string) (string, bool) {
	for name, values := range q {
		if len(values) > 1 && !slices.Contains(lists, name) {
			return name, true
		}
	}
	return "", false
}
