package updater_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/robfig/cron/v3"

	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/updater"
)

// stuckSchedule is a schedule that says when it is next due, until it blocks whoever asks: cron's own loop.
type stuckSchedule struct {
	stuck atomic.Bool
	free  chan struct{}
}

func (s *stuckSchedule) Next(t time.Time) time.Time {
	if s.stuck.Load() {
		<-s.free
	}
	return t.Add(time.Minute)
}

// hangingSource is a cluster that never answers.
type hangingSource struct{}

func (hangingSource) Info(ctx context.Context) (ganeti.Answer, error) {
	<-ctx.Done()
	return ganeti.Answer{}, ctx.Err()
}

func (hangingSource) Bulk(ctx context.Context, _ ganeti.Resource, _ *ganeti.Index) (*ganeti.Delta, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (hangingSource) Item(ctx context.Context, _ ganeti.Resource, _ string) (ganeti.Answer, error) {
	<-ctx.Done()
	return ganeti.Answer{}, ctx.Err()
}

func TestUpdater_BeatsWhileAClusterHangsAndNotWhileTheSchedulerIsBlocked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var beats atomic.Int64
		schedule := &stuckSchedule{free: make(chan struct{})}
		u, err := updater.New(t.Context(), updater.Options{
			Store:   newFakeStore(),
			Hash:    func(ganeti.Settings) (string, error) { return "hash", nil },
			Connect: func(ganeti.Settings) (updater.Source, error) { return hangingSource{}, nil },
			Clusters: []updater.Cluster{{
				Name:      "hanging",
				Settings:  func() (ganeti.Settings, error) { return ganeti.Settings{URL: "https://hanging.example:5080"}, nil },
				Schedules: map[db.Kind]cron.Schedule{db.KindVM: schedule},
			}},
			OnBeat: func() { beats.Add(1) }, Beat: 5 * time.Second,
		})
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- u.Run(ctx) }()
		heard := func(during time.Duration) int64 {
			before := beats.Load()
			time.Sleep(during)
			synctest.Wait()
			return beats.Load() - before
		}
		synctest.Wait()
		if n := beats.Load(); n != 1 {
			t.Errorf("%d heartbeats when the schedule has begun, want 1", n)
		}
		if n := heard(5 * time.Minute); n != 60 {
			t.Errorf("%d heartbeats in 5 minutes in which the cluster hangs, want 60", n)
		}
		schedule.stuck.Store(true)
		time.Sleep(2 * time.Minute) // the schedule is asked once a minute, and that is where cron gets stuck
		if n := heard(5 * time.Minute); n != 0 {
			t.Errorf("%d heartbeats in 5 minutes in which the scheduler is blocked, want none", n)
		}
		if u.Alive() == nil {
			t.Error("a blocked scheduler is called alive")
		}
		schedule.stuck.Store(false)
		close(schedule.free)
		synctest.Wait()
		if n := heard(time.Minute); n < 11 {
			t.Errorf("%d heartbeats in the minute after that, want 12 or so", n)
		}
		cancel()
		must(t, <-done)
	})
}
