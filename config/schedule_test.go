package config_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ganeticache/config"
)

func TestParseSchedule(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) // a Sunday
	for text, want := range map[string]time.Time{
		"@every 90s":                       start.Add(90 * time.Second),
		"*/5 * * * *":                      start.Add(5 * time.Minute),
		"CRON_TZ=Asia/Tokyo 0 6 * * *":     start.Add(9 * time.Hour),
		"TZ=Asia/Tokyo\t0  6 * * *":        start.Add(9 * time.Hour),
		" CRON_TZ=Asia/Tokyo 0 6 * * * ":   start.Add(9 * time.Hour),
		"CRON_TZ=Asia/Tokyo @every 1h":     start.Add(time.Hour),
		"CRON_TZ=UTC @weekly":              start.Add(156 * time.Hour),
		"CRON_TZ=Asia/Kolkata 30 17 * * *": start.Add(24 * time.Hour),
	} {
		s, err := config.ParseSchedule(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := s.Next(start); !got.Equal(want) {
			t.Errorf("%s comes at %s, want %s", text, got, want)
		}
	}
}

func TestParseSchedule_Refuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":           "empty",
		"* * * *":    "expected exactly 5 fields",
		"@sometimes": "@sometimes", "@every": "@every", "99 * * * *": "99",
		"TZ=":                              "followed by no expression",
		"TZ=Asia/Tokyo":                    "followed by no expression",
		"CRON_TZ= 0 6 * * *":               "no time zone stands after the equals sign",
		"CRON_TZ=Europe/Berln 0 6 * * *":   `no time zone is called "Europe/Berln"`,
		"CRON_TZ=../etc/passwd 0 6 * * *":  "no time zone is called",
		"CRON_TZ=UTC TZ=Asia/Tokyo @daily": "it names two time zones",
		"TZ=UTC TZ=":                       "it names two time zones",
		"0 0 * * 8":                        "8",
		"0 0 * * 7-1":                      "7-1 ends before it begins",
		"0 0 * * sat-mon":                  "sat-mon ends before it begins",
		"0 0 * * 5-7/0":                    "the step of 5-7/0",
		"0 0 * * 7/":                       "the step of 7/",
		"0 0 * * 7-":                       "failed to parse",
		"0 0 * * -7":                       "failed to parse",
		"0 0 * * x-7":                      "failed to parse",
		"0 0 * * 6-8":                      "8",
		"0 0 * * 1-7-7":                    "too many hyphens",
	} {
		_, err := config.ParseSchedule(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want it to say %s", text, err, want)
		}
	}
}

// As in crontab(5), 0 and 7 are Sunday.
func TestParseSchedule_Sundays(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		"7": "Su", "0": "Su", "sun": "Su", "SUN": "Su", "07": "Su", "0,7": "Su", "7-7": "Su", "7/2": "Su", "sun-sun": "Su", "7-sun": "Su", "0-sun": "Su",
		"5-7": "Su Fr Sa", "fri-sun": "Su Fr Sa", "Fri-7": "Su Fr Sa", "6,7": "Su Sa", "7,1": "Su Mo", "1-7/3": "Su Mo Th", "1-7/9": "Mo", "1-7/9223372036854775807": "Mo",
		"0-7": "Su Mo Tu We Th Fr Sa", "sun-7": "Su Mo Tu We Th Fr Sa", "1-7": "Su Mo Tu We Th Fr Sa", "mon-sun/2": "Su Mo We Fr",
		"sun-sat": "Su Mo Tu We Th Fr Sa", "mon-fri": "Mo Tu We Th Fr", "sun-tue": "Su Mo Tu", "*": "Su Mo Tu We Th Fr Sa", "*/2": "Su Tu Th Sa", "3/2": "We Fr",
	} {
		s, err := config.ParseSchedule("CRON_TZ=UTC 0 12 * * " + field)
		if err != nil {
			t.Errorf("%s: %v", field, err)
			continue
		}
		var days []string
		saturday := time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC)
		for at := s.Next(saturday); at.Before(saturday.AddDate(0, 0, 7)); at = s.Next(at) {
			days = append(days, at.Weekday().String()[:2])
		}
		if got := strings.Join(days, " "); got != want {
			t.Errorf("%s is %s, want %s", field, got, want)
		}
	}
}

// Where a day of the month is given beside one of the week, either will do; a star among them leaves it to the other.
func TestParseSchedule_SundayBesideADayOfTheMonth(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"0 12 27 * 7":   start.Add(4*24*time.Hour + 12*time.Hour),
		"0 12 30 * 7":   start.Add(6*24*time.Hour + 12*time.Hour),
		"0 12 * * 7":    start.Add(6*24*time.Hour + 12*time.Hour),
		"0 12 27 * *":   start.Add(4*24*time.Hour + 12*time.Hour),
		"0 12 27 * 7,*": start.Add(4*24*time.Hour + 12*time.Hour),
	} {
		s, err := config.ParseSchedule("CRON_TZ=UTC " + text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := s.Next(start); !got.Equal(want) {
			t.Errorf("%s comes at %s, want %s", text, got, want)
		}
	}
}

// Without a zone it is the machine's, also for times that came from the database as UTC. A zone is read once in a process, so
// another one looks.
func TestParseSchedule_WithoutAZoneIsThisMachines(t *testing.T) {
	t.Parallel()
	const zone = "Asia/Tokyo"
	if os.Getenv("TZ") != zone {
		again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		again.Env = append(os.Environ(), "TZ="+zone)
		if out, err := again.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	s, err := config.ParseSchedule("0 6 * * *")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, at := range []time.Time{start, start.Local(), start.In(time.FixedZone("", 3600))} {
		if got, want := s.Next(at), start.Add(9*time.Hour); !got.Equal(want) || got.Location() != at.Location() {
			t.Errorf("after %s comes %s, want %s", at, got, want)
		}
	}
}
