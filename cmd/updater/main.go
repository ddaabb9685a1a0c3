// Command updater keeps a searchable copy of Ganeti clusters in an SQL database. See README.md, or run it with --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // a schedule may name a time zone, and a container has no file of them
)

func main() {
	os.Exit(run())
}

// run is main with a result, so that what is deferred happens before the process ends.
func run() int {
	// The first signal asks for an orderly end; stop then restores the default, so that a second one ends the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return Execute(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
}
