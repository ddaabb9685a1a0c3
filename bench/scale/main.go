// Command scale measures how the updater grows with the number of VMs, up to a million: the first load, the steady cycle
// beside a bare download of the same bytes, memory, the database's size and search. It ends with a table, and exits with 1
// when the database did not hold what the clusters say.
//
//	go run ./bench/scale -updater bin/updater
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"ganeticache/bench/bare"
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
	var err error
	switch {
	case len(args) > 0 && args[0] == roleSimulate:
		err = simulate(args[1:], stdin, stdout)
	case len(args) == 2 && args[0] == roleDownload:
		err = download(args[1], stdin, stdout)
	default:
		o, badUsage := parse(args, stderr)
		if badUsage != nil {
			return 2
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = measureAll(ctx, o, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintln(stderr, "scale:", err)
		return 1
	}
	return 0
}

// download is the process of the floor.
func download(file string, stdin io.Reader, stdout io.Writer) error {
	s, err := bare.ReadSite(file)
	if err != nil {
		return err
	}
	return bare.NewDownloader(s).Serve(context.Background(), stdin, stdout)
}

// measureAll measures one step after the other, each with a server and processes of its own.
func measureAll(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "scale-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(folder)
		} else {
			err = fmt.Errorf("%w\nthe logs and the database are in %s", err, folder)
		}
	}()
	if err := os.Chmod(folder, 0o711); err != nil { //nolint:gosec // PostgreSQL, as another user, has its folder in it
		return fmt.Errorf("opening the folder to PostgreSQL: %w", err)
	}
	m := describeMachine(ctx, o)
	var all []result
	for _, clusters := range o.steps() {
		r, err := measureStep(ctx, o, filepath.Join(folder, strconv.Itoa(clusters)), clusters, stderr)
		if err != nil {
			return fmt.Errorf("%d × %d: %w", clusters, o.vms, err)
		}
		all = append(all, r)
	}
	rep := report{m, all}
	if o.out != "" {
		err = rep.write(o.out)
	}
	return errors.Join(err, rep.print(stdout))
}
