package main

import (
	"fmt"

	"github.com/dustin/go-humanize"
)

// shape is how many clusters there are, and how many VMs in each.
type shape struct{ clusters, vms int }

// shapes are those of the whole benchmark.
func shapes() []shape { return []shape{{1, 10_000}, {10, 1_000}, {100, 100}, {1_000, 100}} }

// key is how -shapes names it.
func (s shape) key() string { return fmt.Sprintf("%dx%d", s.clusters, s.vms) }

func (s shape) String() string {
	return humanize.Comma(int64(s.clusters)) + " × " + humanize.Comma(int64(s.vms))
}

func (s shape) total() int { return s.clusters * s.vms }

// nodes is how many nodes a cluster has: 50 VMs on each.
func (s shape) nodes() int { return max(s.vms/50, 2) }

// jobs is how many finished jobs a cluster's queue holds.
func (s shape) jobs() int { return min(max(s.vms/50, 10), 200) }

func parseShape(text string) (shape, error) {
	var s shape
	if n, err := fmt.Sscanf(text, "%dx%d", &s.clusters, &s.vms); err != nil || n != 2 || s.key() != text || s.clusters < 1 || s.vms < 10 {
		return s, fmt.Errorf("%q is no shape; write CLUSTERSxVMS, such as 10x1000, with 10 VMs or more", text)
	}
	return s, nil
}
