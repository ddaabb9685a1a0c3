package main

import (
	"cmp"
	"slices"
	"time"
)

// result is what a system took in a case of a shape, run by run.
type result struct {
	shape shape
	of    benchCase
	entry entry
	costs []cost
}

// median is that of each figure by itself; what was not measured has none.
func (r result) median() (cost, bool) {
	if len(r.costs) == 0 {
		return cost{}, false
	}
	return cost{
		wall: middle(r.costs, func(c cost) time.Duration { return c.wall }),
		cpu:  middle(r.costs, func(c cost) time.Duration { return c.cpu }),
		peak: middle(r.costs, func(c cost) int64 { return c.peak }),
		rows: middle(r.costs, func(c cost) int64 { return c.rows }),
		wal:  middle(r.costs, func(c cost) int64 { return c.wal }),
	}, true
}

// middle is the median of one figure; of an even number, the lower of the two in the middle.
func middle[T cmp.Ordered](costs []cost, figure func(cost) T) T {
	values := make([]T, 0, len(costs))
	for _, c := range costs {
		values = append(values, figure(c))
	}
	slices.Sort(values)
	return values[(len(values)-1)/2]
}

// results are those of a whole run.
type results []result

// find returns the medians of a system in a case of a shape.
func (rs results) find(s shape, caseKey, systemKey string) (cost, bool) {
	for _, r := range rs {
		if r.shape == s && r.of.key == caseKey && r.entry.key == systemKey {
			return r.median()
		}
	}
	return cost{}, false
}

// ratio is a figure of a system set beside the floor of its case.
func (rs results) ratio(r result, figure func(cost) time.Duration) (float64, bool) {
	mine, ok1 := r.median()
	base, ok2 := rs.find(r.shape, r.of.key, r.of.base())
	if !ok1 || !ok2 || figure(base) == 0 {
		return 0, false
	}
	return float64(figure(mine)) / float64(figure(base)), true
}

func wall(c cost) time.Duration { return c.wall }

func cpu(c cost) time.Duration { return c.cpu }
