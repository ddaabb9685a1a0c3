package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ganeticache/api"
	"ganeticache/config"
	"ganeticache/db"
)

// quickTimeout bounds all of check --quick, so that with the start of the process it takes less than a second.
const quickTimeout = 900 * time.Millisecond

// checkQuick is the health check of a container or a monitor: it asks what is near, and no cluster. Unlike check it finds
// fault with a missing schema: whoever asks for health has already started what makes one.
func (a *app) checkQuick(ctx context.Context) error {
	c, err := a.config()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, quickTimeout)
	defer cancel()
	database := quickly(ctx, "database", func() checked { return quickDatabase(ctx, c) })
	daemon := quickly(ctx, "daemon", func() checked { return checkDaemon(ctx, c.Listen) })
	return a.report([]checked{<-database, <-daemon})
}

// quickly waits for a check no longer than ctx: the driver's handshake with PostgreSQL does not heed it. The process ends,
// and with it what is still waiting.
func quickly(ctx context.Context, what string, check func() checked) <-chan checked {
	done, out := make(chan checked, 1), make(chan checked, 1)
	go func() { done <- check() }()
	go func() {
		select {
		case r := <-done:
			out <- r
		case <-ctx.Done():
			out <- result(what, "", fmt.Errorf("no answer within %s: %w", quickTimeout, ctx.Err()))
		}
	}()
	return out
}

func quickDatabase(ctx context.Context, c *config.Config) checked {
	store, err := db.Open(ctx, c.DatabaseURL.Reveal(), db.Options{ReadOnly: true})
	if err == nil {
		err = joinClose(store.CheckSchema(ctx), store)
	}
	return result("database", config.RedactURL(c.DatabaseURL)+", schema up to date", err)
}

// checkDaemon asks the daemon whether it is ready. None is no fault: one-shots have none.
func checkDaemon(ctx context.Context, listen string) checked {
	const what = "daemon"
	if listen == "" {
		return result(what, "not checked: listen is empty", nil)
	}
	err := api.AskReady(ctx, listen)
	if errors.Is(err, api.ErrNobodyListens) {
		return result(what, "none: nothing listens on "+listen, nil)
	}
	return result(what, "ready on "+listen, err)
}
