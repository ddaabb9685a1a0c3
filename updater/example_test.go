package updater_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/robfig/cron/v3"

	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

// A program that reads the cache, and lets a row be refreshed when it is older than the program allows. It works beside
// an updater that runs, and without one. What can go wrong panics here for shortness' sake.
func ExampleReader() {
	ctx := context.Background()
	store, cluster, closeAll := exampleCluster(ctx)
	defer closeAll()
	clients := ganeti.NewPool([]byte("a key of 32 bytes or more, secret"))
	u, err := updater.New(ctx, updater.Options{
		Store:    store,
		Connect:  func(s ganeti.Settings) (updater.Source, error) { return clients.Get(s) },
		Hash:     clients.Hash,
		Clusters: []updater.Cluster{cluster},
	})
	if err != nil {
		panic(err)
	}
	reader := updater.NewReader(updater.ReaderOptions{Store: store, Updater: u})

	// Nothing is cached yet: the list is refreshed by one bulk call.
	page, err := reader.VMs(ctx, db.VMFilter{Clusters: []string{"prod"}, Statuses: []string{"running"}})
	if err != nil {
		panic(err)
	}
	fmt.Println("VMs that run:", len(page.Value.Items))

	// One VM, at most a minute old. It was fetched just now, so Ganeti is not asked.
	name := page.Value.Items[0].Name
	vm, err := reader.VM(ctx, db.VMRef{Cluster: "prod", Name: name}, nil, updater.MaxAge(time.Minute))
	if err != nil {
		panic(err)
	}
	fmt.Println(vm.Value.Name, "is", vm.Value.Status, "and fresh:", vm.Age < time.Minute && vm.Err == nil)

	// Whatever its age, without asking Ganeti.
	if _, err := reader.VM(ctx, db.VMRef{Cluster: "prod", Name: name}, nil, updater.CacheOnly()); err != nil {
		panic(err)
	}
	// Output:
	// VMs that run: 5
	// inst0001.example is running and fresh: true
}

// exampleCluster makes a simulated cluster and an SQLite database.
func exampleCluster(ctx context.Context) (*db.Store, updater.Cluster, func()) {
	server, err := rapisim.NewServer(rapisim.NewCluster(rapisim.Options{Name: "prod.example", VMs: 6, Seed: 4}))
	if err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	store, err := db.Open(ctx, "sqlite:"+filepath.Join(dir, "cache.db"), db.Options{})
	if err != nil {
		panic(err)
	}
	if err := store.Migrate(ctx); err != nil {
		panic(err)
	}
	settings := ganeti.Settings{
		URL: server.URL(), Username: "gwm", Password: "secret", TLS: ganeti.TLS{PinSHA256: server.Pin()},
	}
	cluster := updater.Cluster{
		Name:      "prod",
		Settings:  func() (ganeti.Settings, error) { return settings, nil },
		Schedules: map[db.Kind]cron.Schedule{db.KindVM: cron.Every(time.Minute)},
	}
	return store, cluster, func() {
		server.Close()
		if err := store.Close(); err != nil {
			panic(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			panic(err)
		}
	}
}
