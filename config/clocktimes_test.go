package config_test

import (
	"fmt"
	"slices"
	"testing"
	"time"
	_ "time/tzdata" // the zones must be there, whatever machine this is

	"github.com/robfig/cron/v3"
	"pgregory.net/rapid"

	"ganeticache/config"
)

// set is a set of numbers below 64.
type set uint64

// span is the set from low to high, each step.
func span(low, high, step int) set {
	s := set(0)
	for n := low; n <= high; n += step {
		s |= 1 << n
	}
	return s
}

func (s set) has(n int) bool { return s>>n&1 == 1 }

// turns says what an expression means, read by hand: it shares nothing with the product.
type turns struct {
	expr           string
	minutes, hours set
	days, weekdays set // 0 is a star
	often          bool
}

// at reports whether a clock that shows this is a turn. The reading is a time of UTC.
func (e turns) at(reading time.Time) bool {
	if !e.minutes.has(reading.Minute()) || !e.hours.has(reading.Hour()) {
		return false
	}
	day := e.days == 0 || e.days.has(reading.Day())
	weekday := e.weekdays == 0 || e.weekdays.has(int(reading.Weekday()))
	if e.days != 0 && e.weekdays != 0 {
		return day || weekday
	}
	return day && weekday
}

func (e turns) hourly() bool { return e.hours == span(0, 23, 1) }

// clock is what the clock of a zone shows each minute from a moment on, as times of UTC.
type clock struct {
	zone  *time.Location
	start time.Time
	shown []time.Time
}

// watch looks at the clock each minute, from two days before the first moment of interest on.
func watch(zone *time.Location, from, to time.Time) clock {
	c := clock{zone: zone, start: from.Add(-48 * time.Hour).Truncate(time.Minute)}
	for t := c.start; t.Before(to); t = t.Add(time.Minute) {
		l := t.In(zone)
		c.shown = append(c.shown, time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), 0, 0, time.UTC))
	}
	return c
}

// turns gives those that begin at from.
func (c clock) turns(e turns, from time.Time) []time.Time {
	var out []time.Time
	before, latest := c.shown[0], c.shown[0]
	for i, now := range c.shown[1:] {
		turn := e.at(now) && (e.often || now.After(latest))
		leap := now.Sub(before) - time.Minute
		for left := before.Add(time.Minute); left.Before(now); left = left.Add(time.Minute) {
			// What an hourly schedule loses by the clock comes by the time that passes.
			if e.at(left) && (!e.hourly() || !e.at(left.Add(leap))) {
				turn = true
			}
		}
		if t := c.start.Add(time.Duration(i+1) * time.Minute); turn && !t.Before(from) {
			out = append(out, t)
		}
		if now.After(latest) {
			latest = now
		}
		before = now
	}
	return out
}

func expressions() []turns {
	one := func(n int) set { return span(n, n, 1) }
	all := func(high, step int) set { return span(0, high, step) }
	return []turns{
		{expr: "30 2 * * *", minutes: one(30), hours: one(2)},
		{expr: "0 2 * * *", minutes: one(0), hours: one(2)},
		{expr: "0 3 * * *", minutes: one(0), hours: one(3)},
		{expr: "59 1 * * *", minutes: one(59), hours: one(1)},
		{expr: "15,45 0,1,2,23 * * *", minutes: span(15, 45, 30), hours: span(0, 2, 1) | span(23, 23, 1)},
		{expr: "@daily", minutes: one(0), hours: one(0)},
		{expr: "@midnight", minutes: one(0), hours: one(0)},
		{expr: "30 0 * * *", minutes: one(30), hours: one(0)},
		{expr: "30 23 * * *", minutes: one(30), hours: one(23)},
		{expr: "@weekly", minutes: one(0), hours: one(0), weekdays: one(0)},
		{expr: "0 0 * * 7", minutes: one(0), hours: one(0), weekdays: one(0)},
		{expr: "30 2 * * sat-sun", minutes: one(30), hours: one(2), weekdays: span(0, 0, 1) | span(6, 6, 1)},
		{expr: "0 0 * * 5", minutes: one(0), hours: one(0), weekdays: one(5)},
		{expr: "@monthly", minutes: one(0), hours: one(0), days: one(1)},
		{expr: "30 2 30 * 7", minutes: one(30), hours: one(2), days: one(30), weekdays: one(0)},
		{expr: "*/5 * * * *", minutes: all(55, 5), hours: all(23, 1), often: true},
		{expr: "0 * * * *", minutes: one(0), hours: all(23, 1), often: true},
		{expr: "@hourly", minutes: one(0), hours: all(23, 1), often: true},
		{expr: "45 0-23 * * *", minutes: one(45), hours: all(23, 1), often: true},
		{expr: "15 * * * *", minutes: one(15), hours: all(23, 1), often: true},
		{expr: "30 * * * 6", minutes: one(30), hours: all(23, 1), weekdays: one(6), often: true},
		{expr: "30 */2 * * *", minutes: one(30), hours: all(22, 2), often: true},
		{expr: "0 1-23/2 * * *", minutes: one(0), hours: span(1, 23, 2), often: true},
		{expr: "*/30 1-3 * * *", minutes: all(30, 30), hours: span(1, 3, 1)},
		{expr: "*/10 2 * * *", minutes: all(50, 10), hours: one(2)},
		{expr: "0 */24 * * *", minutes: one(0), hours: one(0)},
	}
}

// A day in which clocks are put forward or back has the same turns as any other, in zones that do it in different ways (for the
// others see the next test); 2028 has 366 days, and ends in a year that time.Location knows by a rule only.
func TestParseSchedule_KeepsItsTurnsWhenClocksChange(t *testing.T) {
	t.Parallel()
	for _, place := range []struct {
		zone  string
		years []int
	}{
		{"Europe/Berlin", []int{2028}},
		{"Africa/Cairo", []int{2027}}, // forward at midnight, back to the day before
		{"America/New_York", []int{2026}},
		{"Australia/Lord_Howe", []int{2027}}, // by half an hour
		{"America/Santiago", []int{2028}},    // both at midnight, in the south
		{"Pacific/Apia", []int{2011}},        // the 30th of December never was
		{"Asia/Kolkata", []int{2027}},        // never
	} {
		zone, err := time.LoadLocation(place.zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, year := range place.years {
			t.Run(fmt.Sprint(place.zone, year), func(t *testing.T) {
				t.Parallel()
				from := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
				c := watch(zone, from, from.AddDate(1, 0, 3))
				for _, e := range expressions() {
					compare(t, e, c, from)
				}
			})
		}
	}
}

// compare walks through the turns that the clock showed and holds the schedule against them.
func compare(t rapid.TB, e turns, c clock, from time.Time) {
	t.Helper()
	s := parse(t, c.zone, e)
	at, to := from.Add(-time.Second), c.start.Add(time.Duration(len(c.shown))*time.Minute)
	turns := c.turns(e, from)
	for _, want := range turns {
		// Of those that come all the time, only the days around a change tell anything.
		const many = 10_000
		if len(turns) > many && offset(want.AddDate(0, 0, -2), c.zone) == offset(want.AddDate(0, 0, 2), c.zone) {
			at = want
			continue
		}
		got := s.Next(at)
		if !got.Equal(want) {
			t.Fatalf("%s, %s: after %s comes %s, want %s", c.zone, e.expr, at.In(c.zone), got.In(c.zone), want.In(c.zone))
		}
		at = got
	}
	if got := s.Next(at); got.Before(to) {
		t.Fatalf("%s, %s: after %s comes %s, want none before %s", c.zone, e.expr, at.In(c.zone), got.In(c.zone), to)
	}
}

func offset(at time.Time, zone *time.Location) int {
	_, seconds := at.In(zone).Zone()
	return seconds
}

func parse(t rapid.TB, zone *time.Location, e turns) cron.Schedule {
	t.Helper()
	s, err := config.ParseSchedule("CRON_TZ=" + zone.String() + " " + e.expr)
	if err != nil {
		t.Fatalf("%s: %v", e.expr, err)
	}
	return s
}

// The same holds for any expression around any change of the clocks in any of these zones, whatever moment one asks at.
func TestParseSchedule_AroundAnyChange(t *testing.T) {
	t.Parallel()
	zones := []string{
		"Europe/Berlin", "Europe/Dublin", "Africa/Cairo", "America/New_York", "America/Sao_Paulo", "America/Santiago", "America/Havana", "Australia/Lord_Howe",
		"Asia/Beirut", "Asia/Gaza", "Asia/Tehran", "Atlantic/Azores", "Africa/Casablanca", "America/Nuuk", "America/St_Johns", "Pacific/Apia",
		"Antarctica/Troll", "Asia/Pyongyang", "America/Caracas", "Pacific/Kwajalein",
	}
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		change := changeAfter(time.Date(rapid.IntRange(1990, 2045).Draw(t, "year"), 1, 1, 0, 0, 0, 0, time.UTC), zone)
		e := drawTurns(t)
		from, to := change.Add(-30*time.Hour).Truncate(time.Minute), change.Add(54*time.Hour)
		c := watch(zone, from, to)
		compare(t, e, c, from)
		asked := from.Add(time.Duration(rapid.Int64Range(0, int64(50*time.Hour)).Draw(t, "asked")))
		all := c.turns(e, from)
		i := slices.IndexFunc(all, func(turn time.Time) bool { return turn.After(asked) })
		if got := parse(t, zone, e).Next(asked); i >= 0 && !got.Equal(all[i]) || i < 0 && got.Before(to) {
			t.Fatalf("%s, %s: after %s comes %s; turns are %s", zone, e.expr, asked.In(zone), got.In(zone), all)
		}
	})
}

// changeAfter gives the next moment at which the clocks of a zone are changed, or a moment a few years later.
func changeAfter(t time.Time, zone *time.Location) time.Time {
	_, was := t.In(zone).Zone()
	for range 4 * 365 * 24 {
		next := t.Add(time.Hour)
		if _, is := next.In(zone).Zone(); is != was {
			return t
		}
		t = next
	}
	return t
}

// drawTurns makes an expression of which every day, or each of some weekdays, has a turn.
func drawTurns(t *rapid.T) turns {
	field := func(name string, high int) (string, set, bool) {
		low := rapid.IntRange(0, high).Draw(t, name)
		end := rapid.IntRange(low, high).Draw(t, name+" to")
		step := rapid.IntRange(1, high/2).Draw(t, name+" step")
		switch rapid.IntRange(0, 4).Draw(t, name+" form") {
		case 0:
			return "*", span(0, high, 1), true
		case 1:
			return fmt.Sprintf("*/%d", step), span(0, high, step), true
		case 2:
			return fmt.Sprintf("%d-%d", low, end), span(low, end, 1), false
		case 3:
			return fmt.Sprintf("%d-%d/%d", low, end, step), span(low, end, step), true
		default:
			return fmt.Sprintf("%d,%d", low, end), span(low, low, 1) | span(end, end, 1), false
		}
	}
	var e turns
	minute, minutes, _ := field("minute", 59)
	hour, hours, stepped := field("hour", 23)
	e.minutes, e.hours = minutes, hours
	weekday := "*"
	if rapid.Bool().Draw(t, "by weekday") {
		first := rapid.IntRange(1, 7).Draw(t, "weekday")
		weekday, e.weekdays = fmt.Sprintf("%d-7", first), span(first, 6, 1)|span(0, 0, 1)
	}
	e.often = e.hourly() || stepped && hours&(hours-1) != 0
	e.expr = minute + " " + hour + " * * " + weekday
	return e
}
