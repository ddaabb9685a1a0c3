// Command realganeti tries the updater on a real Ganeti cluster that changes and misbehaves, and counts what was lost.
//
// It brings the cluster up (up.sh), enters its network namespace, lets one updater for each database read it, plays the
// steps of steps.go and its neighbours, compares the databases with RAPI after each, prints a table and takes everything
// down again (down.sh). It needs root and Debian; elsewhere it says SKIPPED and why. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	updater   string
	database  string
	scripts   string
	suite     string
	only      string
	instances int
	keep      bool
	inside    bool
}

// skipped is the exit status by which up.sh says that this machine cannot have a cluster.
const skipped = 77

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.inside {
		lost, err := play(ctx, o, stdout)
		if err != nil {
			fmt.Fprintln(stderr, "realganeti:", err)
		}
		if err != nil || lost {
			return 1
		}
		return 0
	}
	return around(ctx, o, args, stdout, stderr)
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("realganeti", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.updater, "updater", "bin/updater", "the `program` to try")
	flags.StringVar(&o.database, "database", "both", "sqlite, postgres or both at the same time")
	flags.StringVar(&o.scripts, "scripts", "test/realganeti", "`directory` of up.sh, on.sh and down.sh")
	flags.StringVar(&o.suite, "suite", "bookworm", "Debian's `release` to take Ganeti from: bookworm (3.0) or trixie (3.1, in a root of its own)")
	flags.StringVar(&o.only, "only", "", "play only the steps whose name matches this `pattern`")
	flags.IntVar(&o.instances, "instances", 24, "`number` of instances in the cluster")
	flags.BoolVar(&o.keep, "keep", false, "leave the cluster, the databases and the logs behind")
	flags.BoolVar(&o.inside, "inside", false, "do not bring up a cluster: this process is in its namespace already")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch o.database {
	case "both", "sqlite", "postgres":
	default:
		fmt.Fprintf(stderr, "-database is %q; use sqlite, postgres or both\n", o.database)
		return o, errors.New("bad flags")
	}
	return o, nil
}

// around brings the cluster up, plays the trial inside of its namespace and takes the cluster down, whatever happened.
func around(ctx context.Context, o options, args []string, stdout, stderr io.Writer) int {
	begun := time.Now()
	script := func(ctx context.Context, name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, filepath.Join(o.scripts, name), append([]string{"--suite", o.suite}, args...)...) //nolint:gosec // our own scripts
		cmd.Stderr = stderr
		// The scripts and the inner process get the chance to end what they began.
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = time.Minute
		return cmd
	}
	reason, err := script(ctx, "up.sh").Output()
	if code := exitCode(err); code == skipped {
		fmt.Fprintf(stdout, "SKIPPED: %s\n", reason)
		return 0
	}
	if !o.keep {
		defer func() {
			if err := script(context.WithoutCancel(ctx), "down.sh").Run(); err != nil {
				fmt.Fprintln(stderr, "realganeti: taking the cluster down:", err)
			}
		}()
	}
	if err != nil {
		fmt.Fprintln(stderr, "realganeti: bringing the cluster up:", err)
		return 1
	}
	fmt.Fprintf(stdout, "the cluster is up after %.0f s\n", time.Since(begun).Seconds())
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(stderr, "realganeti: finding this program:", err)
		return 1
	}
	inner := script(ctx, "on.sh", append([]string{"node1", self, "-inside"}, args...)...)
	inner.Stdout = stdout
	err = inner.Run()
	fmt.Fprintf(stdout, "%.0f s in all, the cluster's start included\n", time.Since(begun).Seconds())
	return exitCode(err)
}

// exitCode is a command's exit status: 1 for one that was killed or never began.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
		return exit.ExitCode()
	}
	return 1
}

// nodeName returns the full name of node n of the cluster this process is in.
func nodeName(n int) string { return "node" + strconv.Itoa(n) + "." + os.Getenv("E2E_DOMAIN") }
