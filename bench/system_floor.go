package main

import (
	"context"
	"path/filepath"

	"ganeticache/bench/measure"
)

// floor is the bare download of the same bytes.
type floor struct{ child }

func newFloor(folder string, w *world) (*floor, error) {
	command, err := self(roleDownload, "-site", w.file)
	if err != nil {
		return nil, err
	}
	return &floor{child{options: measure.Options{Name: "the floor", Command: command, Log: filepath.Join(folder, "floor.log")}}}, nil
}

func (f *floor) reset(context.Context) error { return f.close() }

func (f *floor) round(context.Context) (cost, error) {
	c, _, err := f.once()
	return c, err
}

func (f *floor) facts(context.Context) (facts, bool, error) { return facts{}, false, nil }
