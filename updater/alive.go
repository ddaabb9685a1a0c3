package updater

import (
	"errors"
	"fmt"
	"time"

	"github.com/robfig/cron/v3"
)

const (
	// BeatInterval is how often the scheduler shows that it is alive, unless [Options].Beat says otherwise.
	BeatInterval = 10 * time.Second
	// maxSilence is how long it may be silent: a busy machine is no dead scheduler.
	maxSilence = 6 * BeatInterval
)

// Alive says why the schedule of [Updater.Run] is not kept; nil when it is. It is cheap, and meant for health checks.
func (u *Updater) Alive() error {
	heard := u.heard.Load()
	if heard == 0 {
		return errors.New("the scheduler has not begun yet")
	}
	if silence := time.Since(u.started) - time.Duration(heard); silence > maxSilence {
		return fmt.Errorf("the scheduler was last heard of %s ago", silence.Round(time.Second))
	}
	return nil
}

// beat has the schedule show that it is kept. Cron starts the job as it does a refresh, and Run's loop, which hands the
// clusters to cron, takes it from there: when either is stuck, nothing is heard.
func (s *scheduler) beat() {
	signal(s.beats)
	s.cron.Schedule(cron.Every(s.u.opts.Beat), cron.FuncJob(func() { signal(s.beats) }))
}

// beaten notes a heartbeat that went all the way.
func (u *Updater) beaten() {
	u.heard.Store(max(1, int64(time.Since(u.started))))
	if u.opts.OnBeat != nil {
		u.opts.OnBeat()
	}
}
