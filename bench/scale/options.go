package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
)

// options are the flags.
type options struct {
	// updater is the shipped binary, out the folder that takes the results; "" keeps them on the screen alone.
	updater, out  string
	clusters, vms int
	rounds        int
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("scale", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.updater, "updater", "bin/updater", "the updater's `program`")
	f.StringVar(&o.out, "out", "bench/results", "`folder` for scale.md; empty: none")
	f.IntVar(&o.clusters, "clusters", 1000, "`number` of clusters in the last step; each step before has a tenth of them")
	f.IntVar(&o.vms, "vms", 1000, "`number` of VMs in each")
	f.IntVar(&o.rounds, "rounds", 5, "`number` of steady cycles, and of bare downloads, of which the medians are shown")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.clusters < 1 || o.vms < 10 || o.rounds < 1 {
		err = errors.New("there must be a cluster of 10 VMs and a round at least")
		fmt.Fprintln(stderr, "scale:", err)
		return o, err
	}
	o.updater, err = filepath.Abs(o.updater)
	return o, err
}

// String is the part of the command line that the figures depend on.
func (o options) String() string {
	return fmt.Sprintf("-clusters %d -vms %d -rounds %d", o.clusters, o.vms, o.rounds)
}

// steps are the numbers of clusters, the smallest first.
func (o options) steps() []int {
	var steps []int
	for n := o.clusters; n > 0; n /= 10 {
		steps = append([]int{n}, steps...)
	}
	return steps
}
