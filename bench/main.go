// Command bench measures the updater beside the least that its work could cost, and beside what people write today, in one
// run: see README.md. It ends with a table, and exits with 1 when a database did not hold what the clusters say.
//
//	go run ./bench -updater bin/updater
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// The roles in which this program runs itself as a child process.
const (
	roleSimulate = "simulate"
	roleDownload = "download"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) > 0 && (args[0] == roleSimulate || args[0] == roleDownload) {
		child := map[string]func([]string, io.Reader, io.Writer) error{roleSimulate: simulate, roleDownload: download}[args[0]]
		if err := child(args[1:], stdin, stdout); err != nil {
			fmt.Fprintln(stderr, err)
			return 1
		}
		return 0
	}
	o, err := parse(args, stderr)
	if err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

// bench measures everything that is chosen, and prints it.
func bench(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(folder)
		} else {
			err = fmt.Errorf("%w\nthe logs are in %s", err, folder)
		}
	}()
	if err := os.Chmod(folder, 0o711); err != nil { //nolint:gosec // PostgreSQL, as another user, has its folder in it
		return fmt.Errorf("opening the folder to PostgreSQL: %w", err)
	}
	s, err := newServer(ctx, folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var all results
	for _, sh := range o.shapes {
		some, err := measureShape(ctx, o, s, folder, sh, stderr)
		if err != nil {
			return err
		}
		all = append(all, some...)
	}
	m, err := describeMachine(ctx, o, s)
	if err != nil {
		return err
	}
	r := report{all, m}
	if o.out != "" {
		err = r.write(o.out)
	}
	return errors.Join(err, r.print(stdout))
}

func measureShape(ctx context.Context, o options, s *server, folder string, sh shape, stderr io.Writer) (all results, err error) {
	r, err := newRig(ctx, o, s, folder, sh, stderr)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	return r.run(ctx)
}
