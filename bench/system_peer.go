package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"ganeticache/bench/measure"
)

// peer is a Python script that keeps the VMs in a table of its own.
type peer struct {
	child

	server   *server
	database string
}

func newPeer(folder, python, name string, w *world, s *server, script string, args ...string) (*peer, error) {
	address, err := s.url(name)
	if err != nil {
		return nil, err
	}
	command := append([]string{python, filepath.Join(folder, script), w.file, address}, args...)
	return &peer{server: s, database: name, child: child{options: measure.Options{
		Name: name, Command: command, Log: filepath.Join(folder, name+".log"),
	}}}, nil
}

// reset leaves a database without tables; the script makes its own when it starts.
func (p *peer) reset(ctx context.Context) error {
	return errors.Join(p.close(), p.server.create(ctx, p.database, ""))
}

func (p *peer) round(context.Context) (cost, error) {
	c, answer, err := p.once()
	if err != nil {
		return c, err
	}
	var said struct {
		Rows int64 `json:"rows_written"`
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return c, fmt.Errorf("reading what the script printed: %w", err)
	}
	c.rows = said.Rows
	return c, nil
}

func (p *peer) facts(ctx context.Context) (f facts, known bool, err error) {
	conn, err := p.server.open(p.database)
	if err != nil {
		return f, true, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	f, err = readFacts(ctx, conn, selectPeer, nil)
	return f, true, err
}
