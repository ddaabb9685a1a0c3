package updater_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ganeticache/updater"
)

func TestUpdater_AliveWhileItsScheduleIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u, err := updater.New(t.Context(), updater.Options{Store: newFakeStore()})
		must(t, err)
		if err := u.Alive(); err == nil || !strings.Contains(err.Error(), "not begun") {
			t.Errorf("before Run: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- u.Run(ctx) }()
		synctest.Wait()
		for range 10 {
			if err := u.Alive(); err != nil {
				t.Errorf("while it runs: %v", err)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		cancel()
		must(t, <-done)
		time.Sleep(2 * time.Minute)
		if err := u.Alive(); err == nil || !strings.Contains(err.Error(), "was last heard of 2m") {
			t.Errorf("two minutes after its end: %v", err)
		}
	})
}
