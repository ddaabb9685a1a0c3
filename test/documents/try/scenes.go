package main

import "regexp"

// long is a command that runs until it is told to stop.
type long struct {
	// until is what it prints once it has done what it is run for.
	until *regexp.Regexp
	// keep lets it run on beside what follows; otherwise it is interrupted.
	keep bool
}

// lasting are these commands, without what stands behind a "#".
//
//nolint:gochecknoglobals // a table
var lasting = map[string]long{
	"make demo":                        {until: regexp.MustCompile(`(?s)objects created.*\n +updated vm.*\n +updated vm.*\n +removed vm`)},
	"bin/updater --config config.yaml": {until: regexp.MustCompile(`"msg":"refreshed"`), keep: true},
}

// scenes are scripts that make what the reader of a document has before its first command, because the text or another
// document says so. A document that is not here presumes nothing.
//
//nolint:gochecknoglobals // a table
var scenes = map[string]string{
	// "a line gwm PASSWORD", and the file that the configuration names.
	"README.md": `
printf '%s\n' "$RAPI_PASSWORD" >password
install -D -m 0600 password /etc/ganeti-cache-updater/prod.password
`,
	// "API is the server's address"; a token, an answer's ETag, next and a cursor are at hand.
	"docs/api.md": site + `
setsid updater --log-level error 3>&- &
export API=http://127.0.0.1:9150 TOKEN=gcu_ CURSOR=0
until curl -f "$API/readyz"; do sleep 0.1; done
ETAG=$(curl -D - -o /dev/null "$API/v1/vms" | sed -n 's/^etag: *//Ip' | tr -d '\r')
NEXT=$(curl -w '' "$API/v1/vms?limit=5" | python3 -c 'import json, sys; print(json.load(sys.stdin)["next"])')
`,
	"docs/configuration.md": "systemd-sysusers \"$SOURCES\"/deploy/systemd/ganeti-cache-updater.sysusers\nmkdir -p /etc/ganeti-cache-updater\n",
	// The package is installed and has a cluster.
	"docs/cron.md":    installed + site + "chown ganeti-cache-updater: /var/lib/ganeti-cache-updater/cache.db* /etc/ganeti-cache-updater/prod.password\n",
	"docs/reading.md": site,
}

// between are scripts for what a sentence before a command has the reader do, by document and the command's first line.
//
//nolint:gochecknoglobals // a table
var between = map[string]string{}

// answers are what is typed when a command asks, where that is not a password.
//
//nolint:gochecknoglobals // a table
var answers = map[string]string{}

// site is a configuration with the two clusters, refreshed once into SQLite.
const site = `
mkdir -p /etc/ganeti-cache-updater /var/lib/ganeti-cache-updater
printf '%s\n' "$RAPI_PASSWORD" | install -m 0600 /dev/stdin /etc/ganeti-cache-updater/prod.password
cat >/etc/ganeti-cache-updater/config.yaml <<'END'
database_url: sqlite:/var/lib/ganeti-cache-updater/cache.db
clusters:
  - &prod {name: prod, rapi: "https://rapi.example.org:5080", username: gwm,
     password_file: /etc/ganeti-cache-updater/prod.password, tls: {pin_sha256: "9F:86:…"}}
  - {<<: *prod, name: lab, rapi: "https://rapi.lab.example.org:5080"}
END
updater --once
`
