package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/robfig/cron/v3"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"ganeticache/api"
	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

// demoOptions are the flags of the demo.
type demoOptions struct {
	lasts  time.Duration
	vms    int
	every  time.Duration
	listen string
}

func (a *app) demoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Refresh three simulated clusters into a SQLite file and show what changes",
		Long: `demo starts three simulated Ganeti clusters on this machine's loopback, whose VMs are started, stopped, created,
removed, renamed and migrated all the time, and runs the updater on them every few seconds. Everything but the
clusters is real: RAPI over TLS with pinned certificates, the engine, the database. It needs nothing installed, and
touches only its database, ganeti-cache-demo.db in the working directory unless --database names another one. It ends
with Ctrl-C.`,
		Example: `  updater demo
  updater demo --for 10s --vms 1000
  updater demo --listen 127.0.0.1:9150           # and, elsewhere: curl http://127.0.0.1:9150/v1/vms`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context(), o) },
	}
	cmd.Flags().DurationVar(&o.lasts, "for", 0, "end after this `TIME` (default: when you press Ctrl-C)")
	cmd.Flags().DurationVar(&o.every, "every", 2*time.Second, "`TIME` between two refreshes of a cluster, whole seconds")
	cmd.Flags().StringVar(&o.listen, "listen", "", "also serve the HTTP API at this loopback `ADDRESS`, HOST:PORT")
	cmd.Flags().IntVar(&o.vms, "vms", 40, "`NUMBER` of VMs in the largest cluster")
	return cmd
}

const demoFile = "ganeti-cache-demo.db"

func (a *app) demo(ctx context.Context, o demoOptions) (err error) {
	if o.every < time.Second || o.vms < 1 || o.lasts < 0 {
		return errors.New("--every must be 1s or more, --vms 1 or more, and --for not negative")
	}
	url, err := a.demoDatabase()
	if err != nil {
		return fail(err)
	}
	store, err := db.Open(ctx, url, db.Options{})
	if err != nil {
		return fail(err)
	}
	defer closeStore(store, &err)
	if err := store.Migrate(ctx); err != nil {
		return fail(err)
	}
	farm, err := startFarm(o)
	if err != nil {
		return fail(err)
	}
	defer farm.close()
	if err := a.printf("Three simulated clusters are running; each is refreshed every %s into %s.\n\n", o.every, url); err != nil {
		return err
	}
	if o.lasts > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.lasts)
		defer cancel()
	}
	shown := &demoScreen{app: a}
	if err := farm.run(ctx, store, o, shown); err != nil {
		return fail(err)
	}
	return a.demoFarewell(url, shown)
}

// demoDatabase gives the database's URL. The demo's own file is made anew: its clusters begin their lives again, too.
func (a *app) demoDatabase() (string, error) {
	if url := a.flags["database"]; url != "" {
		return url, nil
	}
	for _, suffix := range []string{"", "-wal", "-shm", "-refresh.lock"} {
		if err := os.Remove(demoFile + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("removing the last demo's database: %w", err)
		}
	}
	return "sqlite:" + demoFile, nil
}

func (a *app) demoFarewell(url string, shown *demoScreen) error {
	look := "  psql '" + url + "' -c 'SELECT cluster, name, status, primary_node FROM vms LIMIT 10'\n"
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
		look = fmt.Sprintf("  sqlite3 %s 'SELECT cluster, name, status, primary_node FROM vms LIMIT 10'\n", path)
	}
	refreshes, changes := shown.counts()
	return a.printf("\n%d refreshes, %d changes recorded. Where to look:\n  %s status --database %s\n%s",
		refreshes, changes, os.Args[0], url, look)
}

// demoFarm is the simulated clusters and the settings to reach them.
type demoFarm struct {
	clusters []*rapisim.Cluster
	servers  []*rapisim.Server
	names    []string
}

func startFarm(o demoOptions) (*demoFarm, error) {
	f := &demoFarm{names: []string{"berlin", "lyon", "oslo"}}
	for i, name := range f.names {
		c := rapisim.NewCluster(rapisim.Options{
			Name: name + ".example", Seed: uint64(i + 1), VMs: max(1, o.vms/(i+1)), KVMShare: 0.5,
			Username: "demo", Password: "demo",
		})
		s, err := rapisim.NewServer(c)
		if err != nil {
			f.close()
			return nil, fmt.Errorf("starting the simulated cluster %s: %w", name, err)
		}
		f.clusters, f.servers = append(f.clusters, c), append(f.servers, s)
	}
	return f, nil
}

func (f *demoFarm) close() {
	for _, s := range f.servers {
		s.Close()
	}
}

// demoRate is the number of changes in each simulated cluster a second: enough to see some in every refresh.
const demoRate = 0.7

// run lets the clusters live and the updater refresh them until ctx ends.
func (f *demoFarm) run(ctx context.Context, store *db.Store, o demoOptions, shown *demoScreen) error {
	pool := ganeti.NewPool([]byte("demo"))
	opts := updater.Options{
		Store: store, Hash: pool.Hash, Explain: true,
		Connect: func(s ganeti.Settings) (updater.Source, error) { return pool.Get(s) },
	}
	every := cron.Every(o.every)
	for i, s := range f.servers {
		settings := ganeti.Settings{URL: s.URL(), Username: "demo", Password: "demo", TLS: ganeti.TLS{PinSHA256: s.Pin()}}
		opts.Clusters = append(opts.Clusters, updater.Cluster{
			Name:     f.names[i],
			Settings: func() (ganeti.Settings, error) { return settings, nil },
			Schedules: map[db.Kind]cron.Schedule{
				db.KindVM: every, db.KindNode: every, db.KindGroup: every, db.KindNetwork: every,
			},
		})
	}
	seen := make(map[string]*firstSight, len(f.names))
	for _, name := range f.names {
		seen[name] = newFirstSight()
	}
	opts.OnResult = func(r updater.Result) {
		shown.show(r)
		seen[r.Cluster].happen()
	}
	u, err := updater.New(ctx, opts)
	if err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	if o.listen != "" {
		server, err := demoAPI(ctx, o.listen, store, u)
		if err != nil {
			return err
		}
		if err := shown.app.printf("The HTTP API is at http://%s/v1/vms; /v1/openapi.json describes it.\n\n", server.Address()); err != nil {
			return err
		}
		group.Go(func() error { return server.Serve(groupCtx) })
	}
	for i, c := range f.clusters {
		group.Go(func() error {
			if seen[f.names[i]].wait(groupCtx) {
				c.Live(groupCtx, demoRate, nil)
			}
			return nil
		})
	}
	group.Go(func() error { return u.Run(groupCtx) })
	return group.Wait()
}

// firstSight is the first refresh of a cluster. Nothing changes before it, so that it shows as many VMs as were asked for, on
// a busy machine too.
type firstSight struct {
	happen func()
	done   <-chan struct{}
}

func newFirstSight() *firstSight {
	done := make(chan struct{})
	return &firstSight{sync.OnceFunc(func() { close(done) }), done}
}

// wait reports whether it happened before ctx ended.
func (f *firstSight) wait(ctx context.Context) bool {
	select {
	case <-f.done:
		return true
	case <-ctx.Done():
		return false
	}
}

// demoAPI serves the read API, and metrics that are empty.
func demoAPI(ctx context.Context, address string, store *db.Store, u *updater.Updater) (*api.Server, error) {
	ready := &readiness{store: store, alive: u.Alive, begun: time.Now()}
	return api.Listen(ctx, api.Options{
		Address: address, Gatherer: prometheus.NewRegistry(), Ready: ready.check, Secret: []byte("demo"), Version: version,
		Cache: apiCache{store, updater.NewReader(updater.ReaderOptions{Store: store, Updater: u})},
	})
}

// demoScreen prints each refresh and its changes. Safe for concurrent use.
type demoScreen struct {
	app       *app
	mu        sync.Mutex
	refreshes int
	changes   int
}

// show has the form of [updater.Options].OnResult.
func (s *demoScreen) show(r updater.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(r.Kinds) == 0 {
		return
	}
	s.refreshes++
	var b strings.Builder
	vms, _ := r.Of(db.KindVM)
	fmt.Fprintf(&b, "%s  %-7s %3d VMs, %d KiB in %s", r.StartedAt.Local().Format(time.TimeOnly), r.Cluster,
		vms.Objects, r.Bytes()>>10, r.Duration.Round(time.Millisecond))
	if err := r.Err(); err != nil {
		fmt.Fprintf(&b, "  FAILED: %v", err)
	}
	total := r.Total()
	if total.Created > maxListed {
		fmt.Fprintf(&b, "  %d objects created\n", total.Created)
		s.changes += total.Created
	} else {
		b.WriteString("\n")
		s.list(&b, r)
	}
	// Nobody is left to read it when this fails, and the demo's end says so.
	s.app.printf("%s", b.String()) //nolint:gosec // see above
}

// maxListed is the number of created objects above which a refresh is summed up instead of listed: the first one.
const maxListed = 10

func (s *demoScreen) list(b *strings.Builder, r updater.Result) {
	for _, k := range r.Kinds {
		for _, c := range k.Outcome.Changes {
			s.changes++
			fmt.Fprintf(b, "            %s\n", describe(c))
		}
	}
}

func (s *demoScreen) counts() (refreshes, changes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refreshes, s.changes
}
