package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"ganeticache/bench/measure"
)

// world is the simulated clusters, which run in a process of their own.
type world struct {
	shape shape
	site  site
	// file has the site, for the processes that ask the clusters.
	file    string
	process *measure.Process
	// known is the truth since the last change; nil: to be asked for.
	known *facts
}

// self is the command line of this program as one of its own child processes.
func self(role string, args ...string) ([]string, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program, to run it again: %w", err)
	}
	return append([]string{program, role}, args...), nil
}

func newWorld(ctx context.Context, folder string, s shape) (*world, error) {
	command, err := self(roleSimulate, "-clusters", strconv.Itoa(s.clusters), "-vms", strconv.Itoa(s.vms))
	if err != nil {
		return nil, err
	}
	process, err := measure.Start(ctx, measure.Options{Name: "the simulator", Command: command, Log: filepath.Join(folder, "simulator.log")})
	if err != nil {
		return nil, err
	}
	w := &world{shape: s, process: process, file: filepath.Join(folder, "site.json")}
	r, err := process.Round(orderSite)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(r.Answer, &w.site); err != nil {
		return nil, fmt.Errorf("reading where the clusters are: %w", err)
	}
	return w, w.site.write(w.file)
}

// order has the simulator change something.
func (w *world) order(what string) error {
	w.known = nil
	_, err := w.process.Round(what)
	return err
}

// truth is what a cache must hold now.
func (w *world) truth() (facts, error) {
	if w.known != nil {
		return *w.known, nil
	}
	r, err := w.process.Round(orderTruth)
	if err != nil {
		return facts{}, err
	}
	var f facts
	if err := json.Unmarshal(r.Answer, &f); err != nil {
		return f, fmt.Errorf("reading the truth: %w", err)
	}
	w.known = &f
	return f, nil
}

func (w *world) close() error { return w.process.Close() }
