package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// off is the word that switches a kind's schedule off.
const off = "off"

// shortestSchedule is the finest grain of robfig/cron, which would silently round a shorter interval up.
const shortestSchedule = time.Second

// parseSchedule checks a cron expression of five fields or a descriptor such as "@every 1m".
func parseSchedule(text string) (any, error) {
	s, err := ParseSchedule(text)
	switch {
	case strings.TrimSpace(text) == "":
		return nil, errors.New(`the schedule is empty; write one like "@every 1m", or remove the key`)
	case err != nil:
		return nil, fmt.Errorf(`%q is not a schedule (%w); write "@every 1m" or five cron fields such as "*/5 * * * *"`, text, err)
	case s.Next(time.Now()).IsZero():
		return nil, fmt.Errorf("%q names a time that never comes; correct its day or month", text)
	}
	// cron rounds "@every" to whole seconds, so what was written must be looked at, not what came out.
	if _, every, found := strings.Cut(text, "@every "); found {
		if d, err := time.ParseDuration(every); err == nil && d < shortestSchedule {
			return nil, fmt.Errorf("%q is shorter than one second; make it longer", text)
		}
	}
	return text, nil
}

// parseScheduleOrOff is parseSchedule for kinds, which may be switched off.
func parseScheduleOrOff(text string) (any, error) {
	if strings.EqualFold(text, off) {
		return off, nil
	}
	value, err := parseSchedule(text)
	if err != nil {
		return nil, fmt.Errorf("%w (off is allowed here, too)", err)
	}
	return value, nil
}

// ParseSchedule is cron.ParseStandard without its panics: version 3.0.1 panics on a time zone that no expression
// follows. An expression that Load let pass gives no error.
func ParseSchedule(text string) (s cron.Schedule, err error) {
	defer func() {
		if recover() != nil {
			s, err = nil, errors.New("its time zone is followed by no expression")
		}
	}()
	s, err = cron.ParseStandard(text)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// interval returns the time between the schedule's next two turns; zero when text is no schedule.
func interval(text string) time.Duration {
	s, err := ParseSchedule(text)
	if err != nil {
		return 0
	}
	first := s.Next(time.Now())
	return s.Next(first).Sub(first)
}

// resolve fills in what kinds inherit and turns off into an empty expression. Whatever a cluster says for itself wins
// over what is said for all; for VMs and nodes its own schedule counts as said for them.
func (s Schedules) resolve(own string, inherited Schedules) Schedules {
	pick := func(choices ...string) string {
		for _, c := range choices {
			if c == off {
				return ""
			}
			if c != "" {
				return c
			}
		}
		return ""
	}
	return Schedules{
		VM:      pick(s.VM, own, inherited.VM),
		Node:    pick(s.Node, own, inherited.Node),
		Group:   pick(s.Group, inherited.Group),
		Network: pick(s.Network, inherited.Network),
		Job:     pick(s.Job, inherited.Job),
	}
}
