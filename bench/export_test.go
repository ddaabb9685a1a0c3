package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jmoiron/sqlx"
)

// Run is the whole program.
func Run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return run(args, stdin, stdout, stderr)
}

// ErrUntrue means that a database does not hold what the clusters say.
var ErrUntrue = errUntrue

// Measured is what a test looks at of a result.
type Measured struct {
	Case, System string
	Runs         int
	Rows         int64
}

// Rig measures one tiny shape.
type Rig struct{ rig *rig }

// WithRig has use work with a rig.
func WithRig(ctx context.Context, updater string, systems []string, use func(Rig) error) error {
	return withServer(ctx, func(folder string, s *server) error {
		r, err := newRig(ctx, options{updater: updater, runs: 1, systems: systems}, s, folder, shape{2, 20}, io.Discard)
		if err != nil {
			return err
		}
		return errors.Join(use(Rig{r}), r.close())
	})
}

// Measure runs cases.
func (r Rig) Measure(ctx context.Context, keys ...string) (out []Measured, err error) {
	if r.rig.chosen, err = chooseCases(keys); err != nil {
		return nil, err
	}
	all, err := r.rig.run(ctx)
	for _, one := range all {
		m, _ := one.median()
		out = append(out, Measured{one.of.key, one.entry.key, len(one.costs), m.rows})
	}
	return out, err
}

// Exec changes the database of an updater behind its back.
func (r Rig) Exec(ctx context.Context, system, statement string) (err error) {
	for _, e := range r.rig.entries {
		if u, ok := e.system.(*updaterSystem); ok && e.key == system {
			return change(ctx, u.store, statement)
		}
	}
	return fmt.Errorf("no updater is called %s", system)
}

func change(ctx context.Context, s store, statement string) (err error) {
	conn, err := s.open()
	if file, ok := s.(*sqliteStore); ok {
		conn, err = sqlx.Open("sqlite", file.file) // to look into it, it is opened for reading only
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	_, err = conn.ExecContext(ctx, statement)
	return err
}
