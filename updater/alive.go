package updater

import (
	"errors"
	"fmt"
	"time"

	"github.com/robfig/cron/v3"
)

const (
	// beatInterval is how often the scheduler shows that it is alive.
	beatInterval = 10 * time.Second
	// maxSilence is how long it may be silent: a busy machine is no dead scheduler.
	maxSilence = 6 * beatInterval
)

// Alive says why the schedule of [Updater.Run] is not kept; nil when it is. It is cheap, and meant for health checks.
func (u *Updater) Alive() error {
	heard := u.heard.Load()
	if heard == 0 {
		return errors.New("the scheduler has not begun yet")
	}
	if silence := u.now().Sub(time.Unix(0, heard)); silence > maxSilence {
		return fmt.Errorf("the scheduler was last heard of %s ago", silence.Round(time.Second))
	}
	return nil
}

// beat has cron itself show that it is alive, by a job like any other.
func (s *scheduler) beat() {
	show := func() { s.u.heard.Store(s.u.now().UnixNano()) }
	show()
	s.cron.Schedule(cron.Every(beatInterval), cron.FuncJob(show))
}
