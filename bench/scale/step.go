package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"ganeticache/bench/bare"
	"ganeticache/bench/measure"
)

// result is what one step found.
type result struct {
	clusters, vms int
	// simulator is the resident memory of the simulator once it has the clusters.
	simulator int64
	// body is what one cycle downloads, in bytes.
	body int64
	// first, restarted, steady and floor are the first load, the first cycle of a new process, and the medians of the
	// cycles after it and of the bare downloads.
	first, restarted, steady, floor cost
	storage                         storage
	searches                        []search
}

// cost is what one round took.
type cost struct {
	wall, cpu time.Duration
	// memory is the peak of the whole process, in bytes.
	memory int64
	// rows were written, and wal bytes of PostgreSQL's log.
	rows, wal int64
}

// rig is what a step needs.
type rig struct {
	options

	folder    string
	site      bare.Site
	simulator *measure.Process
	database  *database
	log       io.Writer
}

func measureStep(ctx context.Context, o options, folder string, clusters int, log io.Writer) (r result, err error) {
	if err := os.Mkdir(folder, 0o711); err != nil { //nolint:gosec // PostgreSQL, as another user, has its folder in it
		return r, fmt.Errorf("making a folder: %w", err)
	}
	g := &rig{options: o, folder: folder, log: log}
	if g.simulator, err = g.child(ctx, roleSimulate, "-clusters", strconv.Itoa(clusters), "-vms", strconv.Itoa(o.vms)); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, g.simulator.Close()) }()
	if g.database, err = newDatabase(ctx, folder); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, g.database.close()) }()
	r.clusters, r.vms = clusters, o.vms
	g.sayf("%d × %d: making the clusters", clusters, o.vms)
	answer, err := g.simulator.Round(orderSite)
	if err != nil {
		return r, err
	}
	r.simulator = g.simulator.Idle() + answer.Peak
	if err := json.Unmarshal(answer.Answer, &g.site); err != nil {
		return r, fmt.Errorf("reading where the clusters are: %w", err)
	}
	err = g.measure(ctx, &r)
	return r, err
}

func (g *rig) sayf(format string, args ...any) { fmt.Fprintf(g.log, format+"\n", args...) }

// child runs this program in another role.
func (g *rig) child(ctx context.Context, role string, args ...string) (*measure.Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program, to run it again: %w", err)
	}
	return measure.Start(ctx, measure.Options{
		Name: role, Command: append([]string{program, role}, args...), Log: filepath.Join(g.folder, role+".log"),
	})
}

// measure loads the database, then lets the updater and the bare download take turns.
func (g *rig) measure(ctx context.Context, r *result) (err error) {
	if r.first, err = g.firstLoad(ctx); err != nil {
		return err
	}
	if err := g.check(ctx); err != nil {
		return err
	}
	site := filepath.Join(g.folder, "site.json")
	if err := g.site.Write(site); err != nil {
		return err
	}
	floor, err := g.child(ctx, roleDownload, site)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, floor.Close()) }()
	updater, err := g.startUpdater(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, updater.Close()) }()
	if r.restarted, err = g.cycle(ctx, updater); err != nil {
		return err
	}
	g.sayf("  restarted: %v", r.restarted.wall)
	if r.body, err = g.takeTurns(ctx, r, floor, updater); err != nil {
		return err
	}
	if err := g.check(ctx); err != nil {
		return err
	}
	if r.storage, err = g.database.storage(ctx); err != nil {
		return err
	}
	r.searches, err = g.database.search(ctx)
	return err
}

func (g *rig) firstLoad(ctx context.Context) (c cost, err error) {
	updater, err := g.startUpdater(ctx)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, updater.Close()) }()
	c, err = g.cycle(ctx, updater)
	g.sayf("  first load: %v", c.wall)
	return c, err
}

// takeTurns measures steady cycles and bare downloads, and returns the bytes of the latter.
func (g *rig) takeTurns(ctx context.Context, r *result, floor, updater *measure.Process) (int64, error) {
	var steady, bareCosts []cost
	var downloaded struct{ Bytes int64 }
	for i := range g.rounds + 1 {
		d, err := floor.Round("go")
		if err != nil {
			return 0, err
		}
		if err := json.Unmarshal(d.Answer, &downloaded); err != nil {
			return 0, fmt.Errorf("reading how much was downloaded: %w", err)
		}
		c, err := g.cycle(ctx, updater)
		if err != nil {
			return 0, err
		}
		g.sayf("  bare download: %v, steady cycle: %v", d.Wall, c.wall)
		if i == 0 {
			continue // both have their TLS sessions and buffers from now on
		}
		bareCosts = append(bareCosts, cost{wall: d.Wall, cpu: d.CPU, memory: floor.Idle() + d.Peak})
		steady = append(steady, c)
	}
	r.steady, r.floor = medians(steady), medians(bareCosts)
	return downloaded.Bytes, nil
}
