package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ganeticache/ganeti"
	"ganeticache/ganeti/rapisim"
	"ganeticache/test/trial"
)

// trouble is what some of the clusters do.
type trouble struct {
	share int // in percent
	how   string
}

func (t trouble) String() string {
	if t.share == 0 {
		return "none hangs"
	}
	return fmt.Sprintf("%d%% %s", t.share, t.how)
}

// parseTrouble reads "20% hang" and the like.
func parseTrouble(text string) (t trouble, err error) {
	share, how, _ := strings.Cut(strings.TrimSpace(text), " ")
	if t.share, err = strconv.Atoi(strings.TrimSuffix(share, "%")); err != nil || t.share < 0 || t.share > 99 {
		return t, fmt.Errorf("%q is no share of the clusters from 0 to 99%%", share)
	}
	switch t.how = how; {
	case how == "" && t.share == 0, how == "hang", how == "drip", how == "later":
		return t, nil
	default:
		return t, fmt.Errorf("%q is none of hang, drip and later", how)
	}
}

// rig is one case.
type rig struct {
	options
	trouble

	folder   string
	postgres *trial.Postgres
	world    *trial.World
	daemon   *trial.Updater
}

func (r *rig) close() error {
	var errs []error
	if r.daemon != nil {
		errs = append(errs, r.daemon.Terminate())
	}
	if r.postgres != nil {
		errs = append(errs, r.postgres.Close())
	}
	if r.world != nil {
		r.world.Close()
	}
	return errors.Join(errs...)
}

// sick are the clusters with trouble, and healthy the others.
func (r *rig) sick() []*trial.Cluster {
	return r.world.Clusters[:len(r.world.Clusters)*r.share/100]
}

func (r *rig) healthy() []*trial.Cluster { return r.world.Clusters[len(r.sick()):] }

// hurt gives the sick clusters their trouble: silence in the handshake, before the answer about the cluster, or before the
// first list; or answers of which a byte comes each second.
func (r *rig) hurt() {
	kinds := []rapisim.Fault{rapisim.HangHandshake(), rapisim.Hang(), rapisim.Hang().On("/2/instances")}
	if r.how == "drip" {
		kinds = []rapisim.Fault{rapisim.Trickle(1), rapisim.Trickle(1).On("/2/instances")}
	}
	for i, c := range r.sick() {
		c.Server.Hurt(kinds[i%len(kinds)])
	}
}

func (r *rig) build(ctx context.Context) (err error) {
	if r.postgres, err = trial.NewPostgres(ctx, r.folder); err != nil {
		return err
	}
	if r.world, err = trial.NewWorld(trial.WorldOptions{Clusters: r.clusters, VMs: r.vms, Seed: 1, Bare: true}); err != nil {
		return err
	}
	config, err := trial.NewConfig(r.folder, r.postgres.URL(0), r.interval, r.world)
	if err != nil {
		return err
	}
	config.Concurrency = r.concurrency
	config.Schedules = map[string]string{"group": "@every 15m", "network": "@every 15m"}
	if r.patience >= 1 {
		config.RefreshBudget = "10%"
	}
	standard := ganeti.DefaultTimeouts()
	scaled := func(d time.Duration) string { return time.Duration(float64(d) * r.patience).String() }
	config.Timeouts = map[string]string{
		"connect": scaled(standard.Connect), "tls_handshake": scaled(standard.TLSHandshake),
		"first_byte": scaled(standard.FirstByte), "total": scaled(standard.Total),
	}
	r.daemon, err = trial.NewUpdater(trial.UpdaterOptions{Name: "daemon", Binary: r.updater, Folder: r.folder, Config: config}, &trial.Score{})
	if err != nil {
		return err
	}
	return r.daemon.ApplySchema(ctx)
}

// run goes through the case. Its first start is part of it, unless the trouble comes later.
func (r *rig) run(ctx context.Context) (f finding, err error) {
	if err := r.build(ctx); err != nil {
		return f, err
	}
	if r.how != "later" {
		r.hurt()
	}
	began := time.Now()
	if err := r.daemon.Start(); err != nil {
		return f, err
	}
	if r.how == "later" {
		if err := pause(ctx, 2*r.interval); err != nil {
			return f, err
		}
		r.hurt()
	}
	if err := pause(ctx, r.lasts); err != nil {
		return f, err
	}
	ended := time.Now()
	f = finding{what: r.String(), clusters: len(r.healthy())}
	if f.memory, err = r.daemon.PeakMemory(); err != nil {
		return f, err
	}
	for _, c := range r.healthy() {
		last := began
		for _, req := range c.Server.Requests() {
			if req.Path == "/2/instances" {
				f.add(req.At.Sub(last), r.interval, last.Equal(began))
				last = req.At
			}
		}
		// What is overdue at the end counts as long as it has taken so far.
		if ended.Sub(last) > r.interval {
			f.add(ended.Sub(last), r.interval, last.Equal(began))
		}
	}
	return f, nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
