package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"ganeticache/api"
	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

// storeCache is a cache that never asks Ganeti, unless ask says what happens then.
type storeCache struct {
	*db.Store
	mu sync.Mutex
	// reads are those that were asked for.
	reads []api.Read
	// touched are the clusters that the lists of VMs were about, and might have refreshed; nil is all.
	touched [][]string
	// err is what an attempt to refresh ends with; nil when nobody attempts any.
	err     error
	refresh func(context.Context, string) (api.Refresh, error)
	// late delays each read until its context ends, unless it wants the cache only.
	late bool
	// fail is the error of every read.
	fail error
	// errors are the clusters in trouble of every list.
	errors []api.ClusterError
	// looks counts the queries for changes.
	looks atomic.Int64
}

func (c *storeCache) ChangesAfter(ctx context.Context, f db.ChangeFilter) ([]db.Change, error) {
	c.looks.Add(1)
	return c.Store.ChangesAfter(ctx, f)
}

func cached[T any](ctx context.Context, c *storeCache, k db.Kind, r api.Read, load func() (T, error)) (api.Cached[T], error) {
	c.mu.Lock()
	c.reads = append(c.reads, r)
	c.mu.Unlock()
	var out api.Cached[T]
	if c.fail != nil {
		return out, c.fail
	}
	if c.late && !r.CacheOnly {
		<-ctx.Done()
		return out, fmt.Errorf("asking Ganeti: %w", ctx.Err())
	}
	if r.MustBeFresh && c.err != nil {
		return out, &api.RefreshError{Reason: "timeout", Err: c.err}
	}
	v, err := load()
	if err != nil {
		return out, err
	}
	fresh, err := c.KindFreshness(ctx, k, nil)
	if err != nil {
		return out, err
	}
	out.Value = v
	if len(fresh) > 0 && fresh[0].RefreshedAt != nil {
		out.RefreshedAt, out.Age = *fresh[0].RefreshedAt, time.Since(*fresh[0].RefreshedAt)
	}
	out.Errors = c.errors
	if c.err != nil {
		out.Err = &api.RefreshError{Reason: "timeout", Err: c.err}
	}
	return out, nil
}

func (c *storeCache) VMs(ctx context.Context, f db.VMFilter, r api.Read) (api.Cached[db.Page[db.VMView]], error) {
	c.mu.Lock()
	c.touched = append(c.touched, f.Clusters)
	c.mu.Unlock()
	return cached(ctx, c, db.KindVM, r, func() (db.Page[db.VMView], error) { return c.SearchVMs(ctx, f) })
}

func (c *storeCache) VM(ctx context.Context, ref db.VMRef, p *db.Permitted, r api.Read) (api.Cached[db.VMView], error) {
	return cached(ctx, c, db.KindVM, r, func() (db.VMView, error) { return c.Store.VM(ctx, ref, p) })
}

func (c *storeCache) Nodes(ctx context.Context, f db.NodeFilter, r api.Read) (api.Cached[db.Page[db.NodeView]], error) {
	return cached(ctx, c, db.KindNode, r, func() (db.Page[db.NodeView], error) { return c.SearchNodes(ctx, f) })
}

func (c *storeCache) Node(ctx context.Context, ref db.ObjectRef, r api.Read) (api.Cached[db.NodeView], error) {
	return cached(ctx, c, db.KindNode, r, func() (db.NodeView, error) { return c.Store.Node(ctx, ref) })
}

func (c *storeCache) Groups(ctx context.Context, f db.GroupFilter, r api.Read) (api.Cached[db.Page[db.GroupView]], error) {
	return cached(ctx, c, db.KindGroup, r, func() (db.Page[db.GroupView], error) { return c.SearchGroups(ctx, f) })
}

func (c *storeCache) Group(ctx context.Context, ref db.ObjectRef, r api.Read) (api.Cached[db.GroupView], error) {
	return cached(ctx, c, db.KindGroup, r, func() (db.GroupView, error) { return c.Store.Group(ctx, ref) })
}

func (c *storeCache) Networks(ctx context.Context, f db.NetworkFilter, r api.Read) (api.Cached[db.Page[db.NetworkView]], error) {
	return cached(ctx, c, db.KindNetwork, r, func() (db.Page[db.NetworkView], error) { return c.SearchNetworks(ctx, f) })
}

func (c *storeCache) Network(ctx context.Context, ref db.ObjectRef, r api.Read) (api.Cached[db.NetworkView], error) {
	return cached(ctx, c, db.KindNetwork, r, func() (db.NetworkView, error) { return c.Store.Network(ctx, ref) })
}

func (c *storeCache) Cluster(ctx context.Context, name string, r api.Read) (api.Cached[db.Cluster], error) {
	return cached(ctx, c, db.KindCluster, r, func() (db.Cluster, error) { return c.ClusterByName(ctx, name) })
}

func (c *storeCache) RefreshCluster(ctx context.Context, name string) (api.Refresh, error) {
	return c.refresh(ctx, name)
}

// rig is two cached clusters, prod and lab, and a server.
type rig struct {
	t      testing.TB
	cache  *storeCache
	u      *updater.Updater
	farm   *rapisim.Farm
	base   string
	server *api.Server
	log    *lines
	stop   context.CancelFunc
}

// lines is what was logged, as a terminal would see it.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) Sync() error { return nil }

func (l *lines) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newRig fills the store from two simulated clusters and starts a server with the given tokens, none when it is "".
func newRig(tb testing.TB, store *db.Store, tokens string, change func(*api.Options)) *rig {
	tb.Helper()
	farm, err := rapisim.NewFarm(2, rapisim.Options{Name: "sim.example", VMs: 12, Nodes: 3, Username: "gwm", Password: "kaninchen-7f3a9c"})
	must(tb, err)
	tb.Cleanup(farm.Close)
	r := &rig{t: tb, cache: &storeCache{Store: store}, farm: farm, log: &lines{}}
	pool := ganeti.NewPool([]byte("a key of tests"))
	o := updater.Options{
		Store: store, Hash: pool.Hash,
		Connect: func(s ganeti.Settings) (updater.Source, error) { return pool.Get(s) },
	}
	for i, name := range []string{"prod", "lab"} {
		o.Clusters = append(o.Clusters, updater.Cluster{Name: name, Settings: func() (ganeti.Settings, error) {
			s := farm.Servers()[i]
			return ganeti.Settings{URL: s.URL(), Username: "gwm", Password: "kaninchen-7f3a9c", TLS: ganeti.TLS{PinSHA256: s.Pin()}}, nil
		}})
	}
	r.u, err = updater.New(tb.Context(), o)
	must(tb, err)
	r.cache.refresh = refreshWith(r)
	r.refresh("prod")
	r.refresh("lab")
	core := zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()), r.log, zap.DebugLevel)
	a := api.Options{
		Address: "127.0.0.1:0", Gatherer: prometheus.NewRegistry(), Ready: func(context.Context) error { return nil },
		Cache: r.cache, Secret: []byte("a secret of tests"), Version: "test", Logger: zap.New(core), Rate: 100_000, RefreshRate: 100_000,
		WatchEvery: 5 * time.Millisecond,
	}
	if tokens != "" {
		a.TokensFile = filepath.Join(tb.TempDir(), "tokens.yaml")
		must(tb, os.WriteFile(a.TokensFile, []byte(tokens), 0o600))
	}
	if change != nil {
		change(&a)
	}
	r.server, r.stop = serveUntil(tb, a)
	r.base = "http://" + r.server.Address()
	return r
}

// kinds are those that the rig caches.
func kinds() []db.Kind {
	return []db.Kind{db.KindVM, db.KindNode, db.KindGroup, db.KindNetwork, db.KindJob}
}

func (r *rig) refresh(name string) {
	r.t.Helper()
	res, err := r.u.Refresh(r.t.Context(), name, updater.RefreshOptions{Kinds: kinds()})
	must(r.t, err)
	must(r.t, res.Err())
}

// sim is a simulated cluster: prod is the first.
func (r *rig) sim(name string) *rapisim.Cluster {
	if name == "prod" {
		return r.farm.Servers()[0].Cluster()
	}
	return r.farm.Servers()[1].Cluster()
}

// vmName is the name of a VM that is there.
func (r *rig) vmName(cluster string, i int) string { return r.sim(cluster).Instances()[i].Name }

// answerOf is an answer, read.
type answerOf struct {
	t      testing.TB
	status int
	header http.Header
	body   string
}

// do sends a request. Headers come in pairs.
func (r *rig) do(method, path string, headers ...string) answerOf {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.base+path, http.NoBody)
	must(r.t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return send(r.t, req)
}

func send(tb testing.TB, req *http.Request) answerOf {
	tb.Helper()
	resp, err := (&http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}).Do(req)
	must(tb, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(tb, err)
	return answerOf{tb, resp.StatusCode, resp.Header, string(body)}
}

func (r *rig) get(path string, headers ...string) answerOf {
	r.t.Helper()
	return r.do(http.MethodGet, path, headers...)
}

// as gets a path with a token.
func (r *rig) as(token, path string) answerOf {
	r.t.Helper()
	return r.get(path, "Authorization", "Bearer "+token)
}

// want checks the status.
func (a answerOf) want(status int) answerOf {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// problem checks that the answer is a problem document with a status and a text.
func (a answerOf) problem(status int, text string) answerOf {
	a.t.Helper()
	a.want(status)
	var p struct {
		Title, Detail string
		Status        int
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		a.t.Fatalf("the problem is no JSON: %v: %s", err, a.body)
	}
	if ct := a.header.Get("Content-Type"); ct != "application/problem+json" || p.Status != status || p.Title == "" || p.Detail == "" {
		a.t.Errorf("%s %s is no good problem document", ct, a.body)
	}
	if !strings.Contains(a.body, text) {
		a.t.Errorf("the problem %s does not say %q", a.body, text)
	}
	return a
}

// decode reads the body.
func decode[T any](a answerOf) T {
	a.t.Helper()
	a.want(http.StatusOK)
	var v T
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		a.t.Fatalf("%v: %s", err, a.body)
	}
	return v
}

// names lists the names of a page's items.
func names(a answerOf) []string {
	a.t.Helper()
	list := []string{}
	for _, item := range decode[api.List[api.Object]](a).Items {
		list = append(list, item.Name)
	}
	return list
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// serveUntil is serve that can be stopped before the test ends.
func serveUntil(tb testing.TB, o api.Options) (server *api.Server, stop context.CancelFunc) {
	tb.Helper()
	s, err := api.Listen(tb.Context(), o)
	must(tb, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("Serve after its context ended = %v, want nil", err)
		}
	})
	return s, cancel
}
