package config

import (
	"math/bits"
	"time"

	"github.com/robfig/cron/v3"
)

// clockTimes is a schedule of clock times in a zone whose clocks are put forward and back. A library's schedule says
// which readings of a clock are turns; which moments have these readings is said here, since a reading may come twice or
// not at all:
//
//   - A turn in the time that is left out comes at the first moment after it, once, however many turns were left out.
//   - A turn in the time that comes twice comes the first time only.
//   - A schedule of "every so often" takes both: whoever writes "0 * * * *" wants it each hour that passes.
//
// So nobody waits longer for a turn than on any other day, and no day has one more than its neighbours.
type clockTimes struct {
	// readings gives the turns by a clock that is never put forward or back.
	readings *cron.SpecSchedule
	zone     *time.Location
	// often is whether the hours are written with a star or a step, hourly whether each hour has turns.
	often, hourly bool
}

// allHours are the bits of the hours of a day.
const allHours = 1<<24 - 1

// newClockTimes takes what the library made of an expression, and whether its hours are written with a star or a step.
func newClockTimes(spec *cron.SpecSchedule, stepped bool) clockTimes {
	s := clockTimes{zone: spec.Location}
	readings := *spec
	readings.Location = time.UTC
	s.readings = &readings
	hours := bits.OnesCount64(spec.Hour & allHours)
	s.hourly = hours == bits.OnesCount64(allHours)
	// "*/24" is one time of day, however it is written.
	s.often = s.hourly || stepped && hours > 1
	return s
}

// Next implements [cron.Schedule].
func (s clockTimes) Next(t time.Time) time.Time {
	at := t.In(s.zone)
	next := s.readings.Next(reading(at))
	if repeated := s.repeatedUntil(at, next); next.Before(repeated) {
		next = s.from(repeated)
	}
	// From one change of the clocks to the following one.
	for !next.IsZero() {
		moment, end := moment(next, at), period(at)
		if end.IsZero() || moment.Before(end) {
			return moment.In(t.Location())
		}
		before, after := reading(end.Add(-1)).Add(1), reading(end)
		switch leap := after.Sub(before); {
		case leap > 0 && next.Before(after):
			if !s.hourly || !s.from(next.Add(leap)).Equal(next.Add(leap)) {
				return end.In(t.Location())
			}
			// The time at which it would have come is a turn by the new time: nothing is lost.
			next = s.from(after)
		case leap < 0 && s.often:
			next = s.from(after)
		}
		at = end
	}
	return next
}

// from gives the first turn at the reading or later.
func (s clockTimes) from(reading time.Time) time.Time {
	return s.readings.Next(reading.Add(-time.Second))
}

// repeatedUntil gives the reading until which the clocks showed all of this before, when next may be such a reading and
// counts once only. The zero time, else.
func (s clockTimes) repeatedUntil(at, next time.Time) time.Time {
	start, _ := at.ZoneBounds()
	if s.often || start.IsZero() || next.Sub(reading(start)) > 24*time.Hour {
		return time.Time{}
	}
	return reading(start.Add(-1)).Add(1)
}

// reading gives what a clock in t's zone shows, as a time of UTC.
func reading(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// moment gives the time of a reading if the clocks go on as they do at that time.
func moment(reading, at time.Time) time.Time {
	_, offset := at.Zone()
	return reading.Add(-time.Duration(offset) * time.Second)
}

// period gives the end of the period in which the clocks go on as they do at t, or an earlier time after t; the zero time
// when they do so for ever.
func period(t time.Time) time.Time {
	_, end := t.ZoneBounds()
	if !end.IsZero() && !end.After(t) {
		// Where a zone goes on by a rule, time.Location lets each year have 365 days, and its last day no end.
		return t.Add(24 * time.Hour)
	}
	return end
}
