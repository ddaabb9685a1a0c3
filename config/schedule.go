package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

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

// ParseSchedule reads a cron expression of five fields or a descriptor, after CRON_TZ=ZONE if need be; without it the zone is
// this machine's. The schedule keeps its turns on days when the clocks are put forward or back, too.
func ParseSchedule(text string) (cron.Schedule, error) {
	zone, expression, err := cutZone(strings.TrimSpace(text))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(expression)
	stepped := false
	if len(fields) == cronFields {
		stepped = strings.ContainsAny(fields[1], "*?/")
		if fields[4], err = sundays(fields[4]); err != nil {
			return nil, err
		}
		expression = strings.Join(fields, " ")
	}
	s, err := cron.ParseStandard(expression)
	if err != nil {
		return nil, err
	}
	spec, ok := s.(*cron.SpecSchedule)
	if !ok {
		return s, nil
	}
	spec.Location = zone
	return newClockTimes(spec, stepped), nil
}

// cronFields is how many an expression has: minute, hour, day of month, month, day of week.
const cronFields = 5

// cutZone takes CRON_TZ=ZONE off an expression.
func cutZone(text string) (*time.Location, string, error) {
	name, found := strings.CutPrefix(text, "CRON_TZ=")
	if !found {
		name, found = strings.CutPrefix(text, "TZ=")
	}
	if !found {
		return time.Local, text, nil
	}
	name, expression := name, ""
	if i := strings.IndexFunc(name, unicode.IsSpace); i >= 0 {
		name, expression = name[:i], strings.TrimSpace(name[i:])
	}
	switch {
	case expression == "":
		return nil, "", errors.New("its time zone is followed by no expression")
	case name == "":
		return nil, "", errors.New("no time zone stands after the equals sign; name one, such as CRON_TZ=Europe/Berlin")
	case strings.HasPrefix(expression, "CRON_TZ="), strings.HasPrefix(expression, "TZ="):
		return nil, "", errors.New("it names two time zones")
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, "", fmt.Errorf("no time zone is called %.80q; name one of the IANA database, such as Europe/Berlin or UTC", name)
	}
	return zone, expression, nil
}

// sundays lets 7 be Sunday in a field of days of the week, as in crontab(5): the library knows 0 only. Where Sunday is the
// end of a range, so is its name: "fri-sun".
func sundays(field string) (string, error) {
	parts := strings.Split(field, ",")
	for i, part := range parts {
		span, step, stepped := strings.Cut(part, "/")
		low, high, ranged := strings.Cut(span, "-")
		first, last := weekday(low), weekday(high)
		switch {
		case !ranged:
			last = first
		case strings.EqualFold(high, "sun") && first > 0:
			last = sunday
		case first > last && last >= 0:
			return "", fmt.Errorf("%s ends before it begins: a week goes from 0 or sun to 7 or sun; write two ranges", part)
		}
		if first < 0 || last != sunday {
			continue // the library reads it, or says what is wrong
		}
		by, err := 1, error(nil)
		if stepped {
			by, err = strconv.Atoi(step)
		}
		if err != nil || by < 1 {
			return "", fmt.Errorf("the step of %s is not a number above 0", part)
		}
		var days []string
		for day := first; day <= last; day += min(by, sunday) {
			days = append(days, strconv.Itoa(day%sunday))
		}
		parts[i] = strings.Join(days, ",")
	}
	return strings.Join(parts, ","), nil
}

// sunday is the last day of the week, where it is not the first.
const sunday = 7

// weekday gives the number of a day; -1 for what is none.
func weekday(text string) int {
	if i := slices.Index([]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, strings.ToLower(text)); i >= 0 {
		return i
	}
	if n, err := strconv.Atoi(text); err == nil && n >= 0 {
		return n
	}
	return -1
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
