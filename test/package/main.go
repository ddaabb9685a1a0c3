// Command package tries the Debian package for real: it builds it twice and compares, makes a clean Debian in a folder of
// its own, installs the package there, configures it with the commands of docs/install.md, runs the service's ExecStart
// as its unit says until a simulated cluster is in the database, upgrades, removes and purges, and looks each time at what
// is there and what is gone. lintian has the last word. It needs root, mmdebstrap and lintian, and leaves nothing behind.
//
//	go run ./test/package            # by make deb-check, which sets the environment that deploy/debian/build wants
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	suite, mirror string
	keep          bool
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	f := flag.NewFlagSet("package", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.suite, "suite", "bookworm", "`release` of Debian to install on")
	f.StringVar(&o.mirror, "mirror", "", "`URL` of a mirror that has it (default: where this machine's apt gets it)")
	f.BoolVar(&o.keep, "keep", false, "leave the folder with that Debian, to look at")
	if err := f.Parse(args); err != nil {
		return 2
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(stderr, "package: installing a package needs root; run it as root, for example in a container")
		return 2
	}
	if err := try(ctx, o, stdout); err != nil {
		fmt.Fprintln(stderr, "package:", err)
		return 1
	}
	return 0
}

// try makes the folder and goes through the steps until one fails.
func try(ctx context.Context, o options, out io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "package-")
	if err != nil {
		return fmt.Errorf("making a folder for the trial: %w", err)
	}
	defer func() {
		if o.keep {
			fmt.Fprintln(out, "kept:", folder)
			return
		}
		err = errors.Join(err, os.RemoveAll(folder))
	}()
	if err := os.Chmod(folder, 0o755); err != nil { //nolint:gosec // the service, as another user, lives below it
		return fmt.Errorf("opening the trial's folder to the service: %w", err)
	}
	t := &trial{options: o, folder: folder}
	defer func() { err = errors.Join(err, t.close()) }()
	for _, s := range t.steps() {
		begun := time.Now()
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
		fmt.Fprintf(out, "ok  %-100s %5.1fs\n", s.what, time.Since(begun).Seconds())
	}
	return nil
}
