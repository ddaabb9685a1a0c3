package main

import (
	"context"

	"ganeticache/bench/measure"
)

// child is the process of a system: what all of them have in common.
type child struct {
	options measure.Options
	running *measure.Process
}

func (c *child) start(ctx context.Context) error {
	if err := c.close(); err != nil {
		return err
	}
	running, err := measure.Start(ctx, c.options)
	c.running = running
	return err
}

func (c *child) close() error {
	if c.running == nil {
		return nil
	}
	running := c.running
	c.running = nil
	return running.Close()
}

// once has the process do a round; the answer holds until the next one.
func (c *child) once() (cost, []byte, error) {
	r, err := c.running.Round("go")
	if err != nil {
		return cost{}, nil, err
	}
	return cost{wall: r.Wall, cpu: r.CPU, peak: r.Peak, rows: -1, wal: -1}, r.Answer, nil
}
