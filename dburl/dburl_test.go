package dburl_test

import (
	"errors"
	neturl "net/url"
	"strings"
	"testing"

	"ganeticache/dburl"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ raw, want string }{
		{"sqlite:/var/lib/cache.db", "sqlite:/var/lib/cache.db"},
		{"sqlite:a b?c#d%20&e=ü@x.db", "sqlite:a b?c#d%20&e=ü@x.db"},
		{"postgres://u@h/d?sslmode=verify-full", "postgres://u@h/d?sslmode=verify-full"},
		{"postgres:///d?host=/run/postgresql", "postgres:///d?host=/run/postgresql"},
		{"postgres://u:PW@h:5433,[2001:db8::1]/d", "postgres://u:xxxxx@h:5433,[2001:db8::1]/d"},
		{"postgres://me%40site:PW@h/d", "postgres://me%40site:xxxxx@h/d"},
		{"postgres://u@h/d?password=PW&sslmode=disable", "postgres://u@h/d?password=xxxxx&sslmode=disable"},
		{"postgres://u@h/d?sslpassword=PW", "postgres://u@h/d?sslpassword=xxxxx"},
		{"postgres://u@h/d?work_mem=4MB", "postgres://u@h/d?work_mem=xxxxx"},
		{"postgres://u@h/d?sslmode=disable%20password=PW", "postgres://u@h/d?sslmode=xxxxx"},
		{"postgres://u@h/d?passwd=PW", dburl.Unreadable},
	} {
		if got := dburl.Redact(c.raw); got != c.want {
			t.Errorf("%s is shown as %s, want %s", c.raw, got, c.want)
		}
	}
}

// misspelt are ways to write an address with a password in it that do not fall into user and host, or name a parameter
// that is none. PW stands for the password.
func misspelt() []string {
	return []string{
		"postgres:/u:PW@host/db", "postgres:u:PW@host/db", "postgres:PW", "postgres:///u:PW@host/db", "postgres:////u:PW@host/db",
		"postgres//u:PW@host/db", "POSTGRES://u:PW@host/db", "Postgres://u:PW@host/db", "psql://u:PW@host/db", "u:PW@host/db", "PW",
		" postgres://u:PW@host/db", "postgres://u:PW@host/db\n", "postgres:// u:PW@host/db", "postgres://u:PW @host/db",
		"postgres://u:1PW/x@host/db", "postgres://u:1/PW@host/db", "postgres://u:1?PW@host/db", "postgres://u:1?x=PW@host/db",
		"postgres://u:1#PW@host/db", "postgres://u@host/db#PW", "postgres://u:a@PW@host/db", "postgres://u:PW%40host/db",
		"postgres://u%3APW%40host/db", "postgres://u%3APW@host/db", "postgres://u%2FPW@host/db", "postgres://:PW@host/db",
		"postgres://host/db?passwd=PW", "postgres://host/db?PASSWORD=PW", "postgres://host/db?pass=PW", "postgres://host/db?pwd=PW",
		"postgres://host/db?user=u:PW@x", "postgres://host/db?user=u%3APW", "postgres://host/db?PW", "postgres://host/db?x;password=PW",
		"postgres://host/db?sslmode=disable&amp;password=PW", "postgres://host/db&password=PW", "postgres://host/db%26password%3DPW",
		"postgres://host/db/PW", "postgres://host/db:PW", "postgres://host/db?secret=PW&x=y", "postgres://host/db?api_key=PW",
		"postgres://host:PWx/db", `postgres:\\u:PW@host/db`, `postgres://u:PW\@host/db`, "postgres://u:%zzPW@host/db",
		"host=h user=u password=PW dbname=d", "user=u password='PW' host=h", "sqlite://u:PW@host/db", "sqlite:postgres://u:PW@host/db",
		"jdbc:postgresql://u:PW@host/db", "postgresql+psycopg2://u:PW@host/db", "pq://u:PW@host", "postgres://u:PW@host:99999999/db",
		"postgres://u:PW@ho st/db", "postgres://u&password=PW@host/db",
	}
}

// passwords are planted, each with its spellings.
func passwords() map[string][]string {
	m := map[string][]string{}
	for _, p := range []string{"kaninchen", "1234567", "ka/nin", "k:n@i?n", `"kan'in"`, "kän in", "%41kan"} {
		m[p] = []string{neturl.QueryEscape(p), neturl.PathEscape(p)}
		if !strings.ContainsAny(p, "%") {
			m[p] = append(m[p], p)
		}
	}
	return m
}

// halves are the pieces of a planted password that no text may hold.
func halves(text, password string, spellings []string) string {
	for _, form := range append(spellings, password) {
		if strings.Contains(text, form) {
			return form
		}
	}
	return ""
}

func TestParse_RefusesWhatDoesNotFallIntoUserAndHost(t *testing.T) {
	t.Parallel()
	for _, template := range misspelt() {
		for password, spellings := range passwords() {
			for _, spelling := range spellings {
				raw := strings.ReplaceAll(template, "PW", spelling)
				err := dburl.Check(raw)
				if err == nil {
					t.Errorf("%q is accepted", raw)
					continue
				}
				if form := halves(err.Error()+dburl.Redact(raw), password, spellings); form != "" {
					t.Errorf("%q: %q is in %v, %s", raw, form, err, dburl.Redact(raw))
				}
			}
		}
	}
}

// Whatever is accepted, the driver finds the password where redacting does.
func TestParse_Accepts(t *testing.T) {
	t.Parallel()
	for password, spellings := range passwords() {
		for _, template := range []string{
			"postgres://u:PW@host/db", "postgresql://u:PW@host:5432,other:5433/db?sslmode=disable", "postgres://u:PW@[::1]:5432",
			"postgres://u:PW@/db?host=/run/postgresql", "postgres://host/db?user=u&password=PW", "postgres://host?password=PW",
		} {
			raw := strings.ReplaceAll(template, "PW", neturl.QueryEscape(password))
			if strings.Contains(raw, "+") {
				raw = strings.ReplaceAll(raw, "+", "%20")
			}
			a, err := dburl.Parse(raw)
			if err != nil {
				t.Errorf("%s: %v", raw, err)
				continue
			}
			if got, found := a.Password(); !found || got != password {
				t.Errorf("%s: the password is %q, %v; want %q", raw, got, found, password)
			}
			if form := halves(a.String(), password, spellings); form != "" {
				t.Errorf("%s is shown as %s", raw, a)
			}
			text := a.Scrub("pq: " + raw + " and " + password + ` and "` + strings.ReplaceAll(password, `"`, `\"`) + `"`)
			if form := halves(text, password, spellings); form != "" {
				t.Errorf("%q is left in %s", form, text)
			}
		}
	}
}

func TestScrubText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{`unknown command "postgres://u:PW@h/d" for "updater"`, `unknown command "postgres://u:xxxxx@h/d" for "updater"`},
		{`unknown command "postgres:/u:PW@h/d"`, `unknown command "[unreadable address]"`},
		{`unknown command "host=h password=PW"`, `unknown command "[unreadable address]"`},
		{`unknown command "POSTGRES://u:a\"PW@h"`, `unknown command "[unreadable address]"`},
		{"connecting to postgres://u@h/d: refused", "connecting to postgres://u@h/d: refused"},
		{"write postgres://USER:PASSWORD@HOST/DATABASE, or", "write postgres://USER:PASSWORD@HOST/DATABASE, or"},
		{dburl.ErrScheme.Error(), dburl.ErrScheme.Error()},
		{"the file is missing", "the file is missing"},
	} {
		values := []string{"check", "host=h password=PW", `POSTGRES://u:a"PW@h`, ""}
		if got := dburl.ScrubText(c.text, values); got != c.want {
			t.Errorf("%s becomes %s, want %s", c.text, got, c.want)
		}
	}
}

// FuzzRedact plants a password at each place of an address that somebody may have written: it is not shown unless the
// address is a good one, and the password stands where a name belongs.
func FuzzRedact(f *testing.F) {
	const password = "kaninchen7f3a"
	for _, template := range append(misspelt(), "postgres://u:PW@host/db?x=y", "postgres://host/db?password=PW") {
		f.Add(template)
	}
	f.Fuzz(func(t *testing.T, template string) {
		raw := strings.ReplaceAll(template, "PW", password)
		shown := dburl.Redact(raw)
		a, err := dburl.Parse(raw)
		if err != nil {
			if strings.Contains(err.Error(), password) || !strings.HasPrefix(raw, "sqlite:") && shown != dburl.Unreadable {
				t.Fatalf("%q: %v, shown as %q", raw, err, shown)
			}
			if !errors.Is(dburl.Check(raw), err) && !strings.HasPrefix(raw, "sqlite:") {
				t.Fatalf("%q: two opinions", raw)
			}
			return
		}
		if !strings.Contains(shown, password) {
			return
		}
		// Without it the address must mean another user, host or database.
		other, err := dburl.Parse(strings.ReplaceAll(template, "PW", "x"))
		if err == nil && other.URL.User.Username() == a.URL.User.Username() && other.URL.Host == a.URL.Host && other.URL.Path == a.URL.Path &&
			!strings.ContainsAny(template, "?") {
			t.Fatalf("%q is shown as %q", raw, shown)
		}
		if p, found := a.Password(); found && strings.Contains(p, password) && strings.Count(shown, password) == strings.Count(raw, password) {
			t.Fatalf("%q is shown as %q", raw, shown)
		}
	})
}
