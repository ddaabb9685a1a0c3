package config_test

import (
	"fmt"
	"strings"
	"testing"

	"ganeticache/config"
)

func TestLoad_BadFile(t *testing.T) {
	t.Parallel()
	const cluster = "clusters:\n  - name: prod\n    rapi: https://rapi\n"
	tests := []struct {
		name string
		file string
		want []string
	}{
		{"empty", " ", []string{
			"config.yaml: is empty; write at least database_url and clusters",
		}},
		{"only comments", "# nothing\n", []string{
			"config.yaml: is empty; write at least database_url and clusters",
		}},
		{"only a marker", "---\n", []string{
			"config.yaml: is empty; write at least database_url and clusters",
		}},
		{"tab", "log:\n\tlevel: info\n", []string{
			"config.yaml:2: is indented with a tab, which YAML does not allow; use spaces",
		}},
		{"colon in a value", "schedule: 1\nlog: level: info\n", []string{
			"config.yaml:2: is not valid YAML (mapping values are not allowed in this context); look at the indentation, the colons and the quotes of this line and the one before",
		}},
		{"open quote", "schedule: \"@every 1m\nlisten: x\n", []string{
			"config.yaml:3: is not valid YAML (found unexpected end of stream); look at the indentation, the colons and the quotes of this line and the one before",
		}},
		{"two documents", "concurrency: 1\n---\nconcurrency: 2\n", []string{
			`config.yaml:2: a second YAML document begins here; keep one and remove the "---" between them`,
		}},
		{"a list", "- concurrency\n", []string{
			"config.yaml:1: must hold keys with values, such as database_url: sqlite:ganeti-cache.db",
		}},
		{"text", "hello\n", []string{
			"config.yaml:1: must hold keys with values, such as database_url: sqlite:ganeti-cache.db",
		}},
		{"not UTF-8", "log:\n  level: \xff\n", []string{
			"config.yaml:2: is not UTF-8 text; save the file as UTF-8 without control characters",
		}},
		{"given twice", "concurrency: 1\nlisten: ''\nconcurrency: 2\n", []string{
			"config.yaml:3: concurrency: is given twice, first on line 1; keep one",
		}},
		{"wrong types", "concurrency: many\nretention: 5\nmax_body: big\nlisten: 9150\nlog: [info]\ntimeouts:\n  total: [1s]\n" +
			"database_url:\nschedules: {job: true}\nguard: {max_percent: 101}\n", []string{
			`config.yaml:1: concurrency: "many" is not a whole number from 1 to 1000`,
			`config.yaml:2: retention: "5" is not a duration; write it like 30s, 5m, 12h or 30d`,
			`config.yaml:3: max_body: "big" is not a size; write it like 256MiB or 1GiB`,
			`config.yaml:4: listen: "9150" is not an address; write it like 127.0.0.1:9150 or [::1]:9150, or "" for no listener`,
			"config.yaml:5: log: must be a section with keys below it, such as level",
			"config.yaml:7: timeouts.total: must be a single value (duration), not a list or a section",
			"config.yaml:8: database_url: has no value; write one (address) or remove the line",
			`config.yaml:9: schedules.job: "true" is not a schedule (expected exactly 5 fields, found 1: [true]); write "@every 1m" or five cron fields such as "*/5 * * * *" (off is allowed here, too)`,
			`config.yaml:10: guard.max_percent: "101" is not a whole number from 0 to 100`,
		}},
		{"custom tag", "schedule: !every 1m\n", []string{
			"config.yaml:1: schedule: has the YAML tag !every, which means nothing here; remove the tag",
		}},
		{"unknown keys", "databse_url: x\nclusters:\n  - {name: a, rapi: 'https://a'}\n  - name: b\n    rapi: https://b\n    tls:\n      pin: 1\n" +
			"pin_sha256: 1\nlog.level: info\nfoo: 1\n", []string{
			"config.yaml:1: databse_url: is not a known key; did you mean database_url?",
			"config.yaml:7: clusters[1].tls.pin: is not a known key; did you mean clusters[1].tls.pin_sha256?",
			"config.yaml:8: pin_sha256: is not a known key; did you mean clusters[].tls.pin_sha256?",
			`config.yaml:9: log.level: is not a known key, because a dot does not nest; write "log:" and below it, indented, "level:"`,
			"config.yaml:10: foo: is not a known key; did you mean log?",
		}},
		{"password inline", cluster + "    username: gwm\n    password: hunter2\n", []string{
			"config.yaml:5: clusters[0].password: a password does not belong in this file; write it into a file of its own and name that with password_file, or name an environment variable with password_env",
		}},
		{"clusters no list", "clusters:\n  name: prod\n", []string{
			`config.yaml:2: clusters: must be a list: begin each cluster with "- name:"`,
		}},
		{"cluster no section", "clusters:\n  - prod\n", []string{
			"config.yaml:2: clusters[0]: must be a cluster with keys such as name and rapi",
		}},
		{"lists of addresses", "clusters:\n  - name: a\n    rapi:\n      - https://a\n      - http://b\n  - {name: b, rapi: []}\n" +
			"  - {name: c, rapi: [https://c, 'https://gwm:hunter2@d']}\n  - {name: d, rapi: [https://d, https://e, 'https://D:5080']}\n" +
			"  - {name: e, rapi: [https://e, [https://f]]}\n  - {name: f, rapi: [https://f, ~]}\n  - {name: g, rapi: 'https://g,https://u:hunter2,x@h'}\n" +
			"  - {name: h, rapi: 'https://h,i'}\n", []string{
			"config.yaml:5: clusters[0].rapi[1]: RAPI speaks TLS only; write https:// instead of http://",
			"config.yaml:6: clusters[1].rapi: is an empty list; write at least one value (address)",
			"config.yaml:7: clusters[2].rapi[1]: must not hold a user or a password; use username and password_file",
			"config.yaml:8: clusters[3].rapi: names d:5080 twice; list each address once",
			"config.yaml:9: clusters[4].rapi[1]: must be a single value (address), not a list or a section",
			"config.yaml:10: clusters[5].rapi[1]: has no value; write one (address) or remove the line",
			"config.yaml:11: clusters[6].rapi: must not hold a user or a password; use username and password_file",
			`config.yaml:12: clusters[7].rapi: address 2 of 2: "i" does not start with https://; write https://HOST:5080`,
		}},
		{"a list where none belongs", "schedule: ['@every 1m']\n", []string{
			"config.yaml:1: schedule: must be a single value (schedule), not a list or a section",
		}},
		{"missing name and address", "clusters:\n  - username: gwm\n    password_file: /pw\n  - name: b\n", []string{
			"config.yaml:2: clusters[0].rapi: is missing; write the cluster's address, such as https://rapi.example.org:5080",
			"config.yaml:2: clusters[0].name: is missing; give the cluster a name of its own, such as prod",
			"config.yaml:4: clusters[1].rapi: is missing; write the cluster's address, such as https://rapi.example.org:5080",
		}},
		{"same name", cluster + "  - {name: prod, rapi: 'https://other'}\n", []string{
			`config.yaml:4: clusters[1].name: "prod" is the name of clusters[0], too; give each cluster a name of its own`,
		}},
		{"odd name", "clusters: [{name: 'a b', rapi: 'https://a'}]\n", []string{
			`config.yaml:1: clusters[0].name: "a b" is no name for a cluster; use up to 63 letters, digits, '.', '_' and '-', beginning with a letter or digit`,
		}},
		{"addresses", "clusters:\n  - {name: a, rapi: 'http://a:5080'}\n  - {name: b, rapi: 'https://gwm:hunter2@b'}\n  - {name: c, rapi: c}\n" +
			"  - {name: d, rapi: 'https://d/2/info'}\n  - {name: e, rapi: 'https://e:99999'}\n", []string{
			"config.yaml:2: clusters[0].rapi: RAPI speaks TLS only; write https:// instead of http://",
			"config.yaml:3: clusters[1].rapi: must not hold a user or a password; use username and password_file",
			`config.yaml:4: clusters[2].rapi: "c" does not start with https://; write https://HOST:5080`,
			`config.yaml:5: clusters[3].rapi: "https://d/2/info" must end after the port; RAPI's paths are known`,
			`config.yaml:6: clusters[4].rapi: "99999" is not a port (1 to 65535)`,
		}},
		{"passwords", "clusters:\n  - {name: a, rapi: 'https://a', username: u, password_file: f, password_env: E}\n" +
			"  - {name: b, rapi: 'https://b', username: u}\n  - {name: c, rapi: 'https://c', password_file: f}\n" +
			"  - {name: d, rapi: 'https://d', username: u, password_env: 'hunter 2'}\n", []string{
			"config.yaml:2: clusters[0].password_env: the password comes from a file and from a variable; keep one of the two",
			"config.yaml:3: clusters[1].username: has no password with it; add password_file or password_env",
			"config.yaml:4: clusters[2].username: is missing, although there is a password; name the RAPI user it belongs to",
			"config.yaml:5: clusters[3].password_env: the value is not the name of an environment variable (this key takes the name, never the password itself)",
		}},
		{"trust", "clusters:\n  - {name: a, rapi: 'https://a', tls: {pin_sha256: 12:34}}\n  - name: b\n    rapi: https://b\n    tls:\n" +
			"      ca_file: /does/not/exist\n  - name: c\n    rapi: https://c\n    tls:\n      pin_sha256: " + pin + "\n      insecure_skip_verify: yes\n", []string{
			"config.yaml:2: clusters[0].tls.pin_sha256: holds 2 bytes, a SHA-256 has 32; take the line that `updater trust HOST:PORT` prints",
			"config.yaml:6: clusters[1].tls.ca_file: /does/not/exist does not exist; create it or correct the path",
			"config.yaml:7: clusters[2].tls.pin_sha256 and tls.insecure_skip_verify: choose one, they exclude each other",
		}},
		{"schedules", "schedule: off\nschedules:\n  vm: sometimes\n  node: ''\n  group: TZ=\n  network: '@every 10ms'\n  job: 0 0 30 2 *\n", []string{
			`config.yaml:1: schedule: "off" is not a schedule (expected exactly 5 fields, found 1: [off]); write "@every 1m" or five cron fields such as "*/5 * * * *"`,
			`config.yaml:3: schedules.vm: "sometimes" is not a schedule (expected exactly 5 fields, found 1: [sometimes]); write "@every 1m" or five cron fields such as "*/5 * * * *" (off is allowed here, too)`,
			`config.yaml:4: schedules.node: the schedule is empty; write one like "@every 1m", or remove the key (off is allowed here, too)`,
			`config.yaml:5: schedules.group: "TZ=" is not a schedule (its time zone is followed by no expression); write "@every 1m" or five cron fields such as "*/5 * * * *" (off is allowed here, too)`,
			`config.yaml:6: schedules.network: "@every 10ms" is shorter than one second; make it longer (off is allowed here, too)`,
			`config.yaml:7: schedules.job: "0 0 30 2 *" names a time that never comes; correct its day or month (off is allowed here, too)`,
		}},
		{"timeouts", "timeouts:\n  connect: 0s\n  first_byte: 3m\n" + cluster + "    timeouts:\n      total: 10s\n      connect: 20s\n", []string{
			`config.yaml:2: timeouts.connect: "0s" is not longer than zero; write it like 30s, 5m, 12h or 30d`,
			"config.yaml:3: timeouts.first_byte: 3m0s is longer than timeouts.total (2m0s)",
			"config.yaml:5: clusters[0].timeouts.first_byte: 3m0s is longer than timeouts.total (10s)",
			"config.yaml:9: clusters[0].timeouts.connect: 20s is longer than timeouts.total (10s)",
		}},
		{"databases", "database_url: mysql://u:hunter2@h/d\n", []string{
			`config.yaml:1: database_url: the database "mysql" is unknown; write sqlite:PATH, or postgres://USER@HOST/DATABASE?sslmode=verify-full`,
		}},
		{"database without a path", "database_url: 'sqlite:'\n", []string{
			"config.yaml:1: database_url: the SQLite database has no path; write sqlite:PATH, or postgres://USER@HOST/DATABASE?sslmode=verify-full",
		}},
		{"database that is no address", "database_url: 'postgres://u:hun%ter2@h/d'\n", []string{
			"config.yaml:1: database_url: the value is not an address (a password must be percent-encoded); write sqlite:PATH, or postgres://USER@HOST/DATABASE?sslmode=verify-full",
		}},
		{"read API for everybody", "listen: 0.0.0.0:9150\n", []string{
			`config.yaml:1: listen: "0.0.0.0:9150" is reached from other machines, and without tokens the read API answers everybody; ` +
				`set api.tokens_file, listen on 127.0.0.1, or switch the read API off with api.enabled: false`,
		}},
		{"several, in the order of the file", "log: {level: loud}\nconcurrency: 0\nlisten: nowhere\n", []string{
			`config.yaml:1: log.level: "loud" is not one of debug, info, warn, error`,
			`config.yaml:2: concurrency: "0" is not a whole number from 1 to 1000`,
			`config.yaml:3: listen: "nowhere" is not an address; write it like 127.0.0.1:9150 or [::1]:9150, or "" for no listener`,
		}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := problems(t, options(t, tc.file))
			diff(t, tc.want, got)
			if text := strings.Join(got, "\n"); strings.Contains(text, "hunter2") {
				t.Errorf("a password is shown: %s", text)
			}
		})
	}
}

func TestLoad_BadEnvironmentAndFlags(t *testing.T) {
	t.Parallel()
	const file = "clusters: [{name: prod, rapi: 'https://rapi'}]\n"
	tests := []struct {
		name string
		file string
		o    config.Options
		want []string
	}{
		{"unknown variables", "", config.Options{Env: []string{
			"UPDATER_LOG_LEVL=info", "UPDATER_TIMEOUTS_FIRSTBYTE=1s", "UPDATER_CLUSTERS_0_TLS_PIN=1", "UPDATER_PORT=9150", "UPDATER_PROD_PASSWORD=x",
		}}, []string{
			"UPDATER_CLUSTERS_0_TLS_PIN: is not a known variable; did you mean UPDATER_CLUSTERS_0_TLS_PIN_SHA256?",
			"UPDATER_LOG_LEVL: is not a known variable; did you mean UPDATER_LOG_LEVEL?",
			"UPDATER_PORT: is not a known variable; did you mean UPDATER_RAPI?",
			"UPDATER_PROD_PASSWORD: is not a known variable; name it with the password_env of a cluster, or unset it",
			"UPDATER_TIMEOUTS_FIRSTBYTE: is not a known variable; did you mean UPDATER_TIMEOUTS_FIRST_BYTE?",
		}},
		{"values", "", config.Options{Env: []string{"UPDATER_TIMEOUTS_TOTAL=soon", "UPDATER_CONCURRENCY="}}, []string{
			`UPDATER_CONCURRENCY: "" is not a whole number from 1 to 1000`,
			`UPDATER_TIMEOUTS_TOTAL: "soon" is not a duration; write it like 30s, 5m, 12h or 30d`,
		}},
		{"gap", "", config.Options{Env: []string{"UPDATER_CLUSTERS_1_NAME=b", "UPDATER_CLUSTERS_1_RAPI=https://b"}}, []string{
			"UPDATER_CLUSTERS_1_…: leaves a gap: there is no cluster 0; count the clusters from 0 without a gap",
		}},
		{"one cluster beside a list", file, config.Options{Flags: map[string]string{"rapi": "https://other"}}, []string{
			"--rapi: describes one cluster, but config.yaml lists clusters; remove this, or give --config /dev/null to leave the file unread",
		}},
		{"one cluster beside numbered ones", "", config.Options{
			Env:   []string{"UPDATER_CLUSTERS_0_NAME=b", "UPDATER_CLUSTERS_0_RAPI=https://b"},
			Flags: map[string]string{"rapi": "https://other"},
		}, []string{
			"--rapi: describes one cluster, but UPDATER_CLUSTERS_… lists clusters; keep one of the two",
		}},
		{"password of no cluster", file, config.Options{Env: []string{"UPDATER_RAPI_PASSWORD=hunter2"}}, []string{
			"UPDATER_RAPI_PASSWORD: belongs to the cluster that UPDATER_RAPI describes, but clusters are listed; name the variable with the password_env of one of them, or unset it",
		}},
		{"one cluster without an address", "", config.Options{Flags: map[string]string{"rapi-username": "gwm"}}, []string{
			"--rapi (or UPDATER_RAPI): is missing; write the cluster's address, such as https://rapi.example.org:5080",
			"--rapi-username: has no password with it; add --rapi-password-file or UPDATER_RAPI_PASSWORD",
		}},
		{"one cluster, wrong values", "", config.Options{
			Env:   []string{"UPDATER_RAPI_PASSWORD=x"},
			Flags: map[string]string{"rapi": "http://h", "rapi-pin-sha256": "zz", "rapi-password-file": "/pw"},
		}, []string{
			"--rapi: RAPI speaks TLS only; write https:// instead of http://",
			"--rapi-pin-sha256: is not hexadecimal; take the line that `updater trust HOST:PORT` prints",
			"UPDATER_RAPI_PASSWORD: the password comes from a file and from a variable; keep one of the two",
		}},
		{"several addresses, one of them wrong", "", config.Options{
			Env: []string{"UPDATER_CLUSTERS_0_NAME=b", "UPDATER_CLUSTERS_0_RAPI=https://b,,https://c"},
		}, []string{
			"UPDATER_CLUSTERS_0_RAPI: address 2 of 3: is empty; write https://HOST:5080",
		}},
		{"unknown flag", "", config.Options{Flags: map[string]string{"rapi-password": "hunter2"}}, []string{
			"--rapi-password: is not a flag of the configuration",
		}},
		{"file from the environment is missing", "", config.Options{Env: []string{"UPDATER_CONFIG=/does/not/exist.yaml"}}, []string{
			"UPDATER_CONFIG: /does/not/exist.yaml does not exist; create it or correct the path",
		}},
		{"file is missing", "", config.Options{File: "/does/not/exist.yaml"}, []string{
			"--config: /does/not/exist.yaml does not exist; create it or correct the path",
		}},
		{"file is a folder", "", config.Options{File: "/"}, []string{
			"--config: / is a directory; name a file",
		}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := options(t, tc.file)
			if tc.o.File != "" {
				o.File = tc.o.File
			}
			o.Env, o.Flags = tc.o.Env, tc.o.Flags
			got := problems(t, o)
			diff(t, tc.want, got)
			if text := strings.Join(got, "\n"); strings.Contains(text, "hunter2") {
				t.Errorf("a password is shown: %s", text)
			}
		})
	}
}

func TestLoad_ManyProblems(t *testing.T) {
	t.Parallel()
	// Aliases make many keys of few lines; neither the time nor the message may grow with them.
	var b strings.Builder
	b.WriteString("clusters:\n  - &c\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "    odd%d: 1\n", i)
	}
	b.WriteString(strings.Repeat("  - *c\n", 2000))
	got := problems(t, options(t, b.String()))
	if len(got) != 101 || !strings.HasPrefix(got[100], "and ") {
		t.Errorf("%d problems, the last one %q; want 100 and a count", len(got), got[len(got)-1])
	}
}

func TestError_ShowsEveryProblem(t *testing.T) {
	t.Parallel()
	one := &config.Error{Problems: []string{"a: b"}}
	two := &config.Error{Problems: []string{"a: b", "c: d"}}
	diff(t, "a: b", one.Error())
	diff(t, "the configuration has 2 problems:\n  - a: b\n  - c: d", two.Error())
}
