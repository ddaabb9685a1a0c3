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
	// The service runs, in whose folder the reader is; the database and its roles are made as owner.sql says.
	"docs/operate.md": installed + site + owned + `
export PGUSER=postgres
cd /var/lib/ganeti-cache-updater
cp /usr/share/doc/ganeti-cache-updater/examples/*.sql .
createdb ganeti_new && dropdb ganeti && psql -c 'ALTER DATABASE ganeti_new RENAME TO ganeti'
psql -d ganeti -v ON_ERROR_STOP=1 -1 -f owner.sql
updater schema apply --database postgres://ganeti_owner@db.example.org/ganeti
psql -d ganeti -v ON_ERROR_STOP=1 -1 -f updater.sql -f reader.sql
systemctl start ganeti-cache-updater
`,
	// Ganeti Web Manager's database, in SQLite and in PostgreSQL; both of ours have been refreshed once.
	"docs/coming-from-gwm.md": site + `
export PGUSER=postgres
sqlite3 ganeti.db <db/testdata/gwm.sql
createdb ganeti_webmgr && psql -q -d ganeti_webmgr -f db/testdata/gwm.sql
cp deploy/coming-from-gwm/*.sql .
psql -q -c 'CREATE ROLE ganeti_owner LOGIN' -c 'ALTER DATABASE ganeti OWNER TO ganeti_owner'
sed 's|^database_url:.*|database_url: postgres://ganeti_owner@db.example.org/ganeti|' /etc/ganeti-cache-updater/config.yaml >pg.yaml
updater --once --config pg.yaml
sed 's|^database_url:.*|database_url: sqlite:cache.db|' /etc/ganeti-cache-updater/config.yaml >config.yaml
updater --once --config config.yaml
`,
}

// between are scripts for what a sentence before a command has the reader do, by document and the command's first line.
//
//nolint:gochecknoglobals // a table
var between = map[string]string{
	"docs/operate.md: createdb ganeti": "psql -c 'ALTER DATABASE ganeti RENAME TO ganeti_old'",
	// "Put the back-up in place ... whoever copies it back gives it to the user"; the target of the move is empty.
	"docs/operate.md: updater db copy --from sqlite:cache.db --to 'postgres://ganeti_owner@db.example.org/ganeti'": owned,
	// "Set database_url", "keep secret_key_file".
	"docs/operate.md: updater check": `
if psql -Atq -d ganeti -c 'SELECT count(*) FROM clusters' | grep -qx 2; then
	sed -i 's|^database_url:.*|database_url: postgres://ganeti_updater@db.example.org/ganeti|' /etc/ganeti-cache-updater/config.yaml
fi
`,
	// "once the updater has read the new configuration".
	"docs/operate.md: updater clusters remove prod --purge": `
sed -i -e 's|&prod {name: prod,|\&prod {name: main,|' /etc/ganeti-cache-updater/config.yaml
systemctl reload ganeti-cache-updater
until updater status | grep -q '^main.* vm'; do sleep 0.2; done
`,
	// The cluster of the section before has its name back.
	"docs/operate.md: updater clusters rename prod main": `
updater clusters rename main prod
sed -i -e 's|&prod {name: main,|\&prod {name: prod,|' /etc/ganeti-cache-updater/config.yaml
systemctl reload ganeti-cache-updater
until updater status | grep -q '^prod.* vm'; do sleep 0.2; done
`,
	// "put the new file in the place of secret_key_file": there is an old one, and a sealed password.
	"docs/operate.md: updater clusters rekey --new-key-file new.key": `
openssl rand -hex 32 | install -m 0640 -g ganeti-cache-updater /dev/stdin /etc/ganeti-cache-updater/secret.key
echo 'secret_key_file: /etc/ganeti-cache-updater/secret.key' >>/etc/ganeti-cache-updater/config.yaml
printf '%s\n' "$RAPI_PASSWORD" | updater clusters add dev --rapi https://rapi.dev.example.org:5080 --username gwm --password-stdin --pin 9F86…
`,
	// The stub of mysql exports nothing.
	"docs/coming-from-gwm.md: sed 's/clusters_cluster/ganeti_web_cluster/g; s/virtualmachines_virtualmachine/ganeti_web_virtualmachine/g; s/authentication_/ganeti_web_/g' \\": `
sqlite3 -readonly -noheader -tabs ganeti.db <export.sql >permissions.tsv
`,
}

// owned gives the service's files to its user.
const owned = `
chown -R ganeti-cache-updater: /var/lib/ganeti-cache-updater /etc/ganeti-cache-updater/prod.password
`

// answers are what is typed when a command asks, where that is not a password.
//
//nolint:gochecknoglobals // a table
var answers = map[string]string{"updater clusters remove prod --purge": "prod"}

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
