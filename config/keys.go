package config

import (
	"fmt"
	"strings"
)

// Key describes one configuration key, for documents and for messages.
type Key struct {
	// Path is the key with its sections: "timeouts.first_byte". Those of a cluster begin with "clusters[].".
	Path string
	// Type is a word for the kind of value: text, duration, size, number, boolean, schedule, address, file, ….
	Type string
	// Default is what holds when the key is absent; empty when there is nothing.
	Default string
	// Doc is what the key means and what follows from it.
	Doc string

	// value is the default as text that parse understands; empty: none, or inherited.
	value string
	parse parser
	// element is the Type of each value of a key that may have several: a list in the file, separated by commas elsewhere.
	element string
}

// clustersPrefix begins the path of a key that each cluster has.
const clustersPrefix = "clusters[]."

// Env returns the environment variable that sets the key. <N> in it stands for the cluster's place in the list,
// counted from 0.
func (k Key) Env() string {
	path := strings.Replace(k.Path, "clusters[]", "clusters_<N>", 1)
	return envPrefix + strings.ReplaceAll(strings.ToUpper(path), ".", "_")
}

// keys returns the one table of keys. Adding a key is one entry here and one field in Config.
func keys() []Key {
	list := []Key{
		key("database_url", "address", "sqlite:ganeti-cache.db", parseDatabaseURL,
			"Where the cache lives: `sqlite:PATH` or `postgres://USER@HOST/DATABASE?sslmode=verify-full`. A relative path is relative to the working directory, so give a daemon an absolute one. Put a password into `~/.pgpass` or `PGPASSWORD` instead, or keep this file unreadable to others."),
		key("schedule", "schedule", "@every 1m", parseSchedule,
			"When VMs and nodes are refreshed: `@every DURATION`, `@hourly`, or five cron fields, optionally after `CRON_TZ=ZONE`; on days when clocks change, no turn is skipped or repeated. A shorter interval means fresher rows and more work for each cluster's RAPI; a refresh that is still running is never started again."),
		key("schedules.vm", "schedule or off", "", parseScheduleOrOff,
			"When VMs, and with them the cluster's own facts, are refreshed.").inherits("the value of `schedule`"),
		key("schedules.node", "schedule or off", "", parseScheduleOrOff,
			"When nodes are refreshed.").inherits("the value of `schedule`"),
		key("schedules.group", "schedule or off", "@every 15m", parseScheduleOrOff,
			"When node groups are refreshed. They change rarely; `off` keeps the rows as last read."),
		key("schedules.network", "schedule or off", "@every 15m", parseScheduleOrOff,
			"When networks are refreshed. They change rarely; `off` keeps the rows as last read."),
		key("schedules.job", "schedule or off", off, parseScheduleOrOff,
			"When jobs are refreshed. A busy cluster's list of jobs is long, so it is off by default."),
		key("concurrency", "number", "8", parseInt(1, 1000),
			"How many clusters' answers are read, compared and written at the same time. A cluster that the updater is only waiting for does not count, however long it is silent or trickles. A higher number shortens a round over many clusters if the database and the processors have capacity; each place costs a connection and some memory. One cluster never gets two requests at once."),
		key("listen", "address", "127.0.0.1:9150", parseListen,
			"The address that serves metrics, health and the read API. An empty text (`\"\"`) means no listener."),
		key("api.enabled", "boolean", "true", parseBool,
			"Whether the listener serves the read API below `/v1` (docs/api.md), or only metrics and health."),
		key("api.tokens_file", "file", "", parseNeeded,
			"File with the hashes of the tokens that may read (`updater token new` makes one). It is read again when it changes. Without one the API answers everybody who can reach it, so `listen` must be a loopback address."),
		key("api.rate", "number", "20", parseInt(1, 100_000),
			"How many requests a second a token, or an address without one, may send on average; twice as many in a burst. Requests beyond that are answered with 429."),
		key("api.refresh_rate", "number", "10", parseInt(1, 100_000),
			"How many of these requests a second may query Ganeti regardless of the cache (`cache=refresh`, `max_age` below 10 seconds, `POST …/refresh`), on average; twice as many in a burst, and at least 10. Requests beyond that are answered with 429."),
		key("api.hosts", "names", "", parseHosts,
			"Further names under which clients reach the listener, as a list or separated by commas, such as `cache.example.org`. Addresses, the machine's own name, names without a dot and those that end in `.local`, `.internal`, `.home.arpa` or `.svc` need not be listed. A request by any other name is refused with 421, so that no web page can read the cache by pointing its own name here (DNS rebinding).").listOf("name"),
		key("api.ready_max_age", "duration", "", parseDuration,
			"`/readyz` says no when the VMs of an enabled cluster are older than this plus what `refresh_budget` adds to its interval. If unset, any age is accepted, since old rows stay readable."),
		key("max_age", "duration", "10m", parseDuration,
			"How old a row may be before the read API queries Ganeti for it, unless the request says otherwise. Keep it well above the schedules: refreshing on read costs a call for each object, and is the fallback for when the schedule stands still."),
		key("retention", "duration", "720h", parseDuration,
			"How long a removed object stays as a tombstone. An object that returns within that time keeps its row, id and permissions; later it gets a new row."),
		key("retention_changes", "duration or off", "", parseDurationOrOff,
			"How long entries stay in the log of changes, such as `365d`; `off` keeps them for ever. A reader whose cursor is older than the oldest entry is told so. After an upgrade everything is kept until this key is set.").inherits("`365d` in a database that this version made, `off` in an older one"),
		key("lease", "duration", "30s", parseLease,
			"How long an updater keeps its clusters after its last heartbeat; then the other updaters on the same PostgreSQL take them over. A shorter time means a faster take-over and more frequent heartbeats: one every third of it. At least 2s."),
		key("guard.max_objects", "number", "10", parseInt(0, 1_000_000),
			"A snapshot may remove this many objects of a kind, whatever their share. If removals exceed both this and `guard.max_percent`, they wait; additions and updates never wait."),
		key("guard.max_percent", "number", "25", parseInt(0, 100),
			"A snapshot may remove this share of a kind, in percent, whatever their number. With 100, removals wait only if all objects are gone."),
		key("guard.snapshots", "number", "3", parseInt(1, 1000),
			"How many further complete snapshots must lack the same objects before withheld removals are made without the operator's approval."),
	}
	list = append(list, limitKeys()...)
	list = append(list,
		key("secret_key_file", "file", "", parseNeeded,
			"File with a key of at least 32 bytes (`openssl rand -hex 32`). It keys the hashes of credentials in the database, so that nobody can guess a password from a copy of the database, and seals the passwords of clusters kept there (`updater clusters add`). If unset, systemd's credential `secret_key` is used, if there is one. Without either, the hashes' key is derived from the machine's id (`/etc/machine-id`), and no password can be sealed. Updaters on several machines that share a database need the same file. `updater clusters rekey` changes it."),
		key("password_dir", "directory", "", parseNeeded,
			"Directory below which the password files of clusters kept in the database must lie, after resolving symbolic links: somebody who can write to the database cannot name any other file. The updater's own files (`secret_key_file`, the configuration, `api.tokens_file`) are never used as a password, whatever their name.").inherits("the directory of the configuration file"),
		key("redact", "names", "", parseRedact,
			"Further names of fields whose values are never stored, as a list or separated by commas, in addition to the built-in ones (docs/security.md): `license_key`, or `*_pin` for all that end in it. Case does not matter. An existing row is cleaned when its object next changes, or as docs/security.md says. A change needs a restart.").listOf("name"),
		key("owner_tags.pattern", "pattern", "", parseTagPattern,
			"Regular expression for tags of VMs that grant a permission, such as `owner:(.+)`. It must match the whole tag. Its group (the first, or the one named `subject`) is the subject that gets the permission, and a group named `permission` is the permission. Grants from tags follow the tags with each refresh. After a change of this key run `updater permissions sync`."),
		key("owner_tags.permission", "text", "owner", parseNeeded,
			"The permission that such a tag grants."),
		key("log.level", "debug, info, warn or error", "info", parseOneOf("debug", "info", "warn", "error"),
			"The lowest level that is logged. `info` is one line per refresh."),
		key("log.format", "json, console or auto", "auto", parseOneOf("json", "console", "auto"),
			"The format of the log. `auto` is `console` on a terminal and `json` elsewhere."),
	)
	return append(list, clusterKeys()...)
}

func clusterKeys() []Key {
	list := []Key{
		key("name", "name", "", parseName,
			"The cluster's name in the database, logs and metrics: letters, digits, `.`, `_` and `-`. Required and unique. To change it, run `updater clusters rename OLD NEW` as well (docs/operate.md): otherwise the new name is a different cluster, which is refused while the old one has rows."),
		key("rapi", "address or list", "", parseRAPI,
			"The address of the cluster's remote API, `https://HOST[:PORT]`, or a list of addresses for a cluster whose master may move; in a variable or a flag they are separated by commas. Required. The default port is 5080. The first address is tried first, and later the one that last answered; if one cannot be reached, fails the TLS check, or is not the master, the next is tried.").listOf("address"),
		key("username", "text", "", parseNeeded,
			"The RAPI user. A user without any options in Ganeti's users file can read everything that is cached. If unset, no credentials are sent; use that for a RAPI that runs without `--require-authentication`."),
		key("password_file", "file", "", parseNeeded,
			"File with the RAPI user's password and nothing else. It is read again for each new client, so a changed password needs no restart. Make it readable only by the updater's user."),
		key("password_env", "variable", "", parseVariable,
			"Name of the environment variable that holds the password, instead of `password_file`."),
		key("tls.pin_sha256", "fingerprint", "", parsePin,
			"SHA-256 of exactly the certificate that RAPI presents: 64 hexadecimal digits with or without colons, as `updater trust HOST:PORT` prints it. Use it to trust Ganeti's own self-signed certificate. A renewed certificate needs a new pin."),
		key("tls.ca_file", "file", "", parseNeeded,
			"PEM file with the authority that signed RAPI's certificate, or with that certificate itself. Without it and without a pin the system's authorities are trusted."),
		key("tls.server_name", "text", "", parseNeeded,
			"The name for which RAPI's certificate must be valid, if that is not the host of the address.").inherits("the host of `rapi`"),
		key("tls.insecure_skip_verify", "boolean", "false", parseBool,
			"Accepts any certificate. Anyone between the updater and RAPI can then read the password and forge answers; each start warns about it."),
		key("tls.min_version", "1.0, 1.1, 1.2 or 1.3", "", parseOneOf("1.0", "1.1", "1.2", "1.3"),
			"The oldest version of TLS that is accepted from RAPI. `1.0` and `1.1`, for a Ganeti on an operating system that supports nothing newer, also allow its old ciphers, and an attacker on the network can break them; each start warns about it.").inherits("`1.2`"),
		key("schedule", "schedule", "", parseSchedule,
			"Overrides `schedule` for this cluster's VMs and nodes.").inherits("the value of `schedule`"),
		key("enabled", "boolean", "true", parseBool,
			"Whether the cluster is refreshed. A disabled one freezes: its rows stay as they are and show their age."),
		key("allow_duplicate", "boolean", "false", parseBool,
			"Whether this cluster may have the same uuid as another cached one, as a restored copy does. Otherwise the second name is refused (`duplicate_cluster`): one Ganeti cluster under two names would be stored twice, with all its VMs."),
	}
	for _, kind := range []string{"vm", "node", "group", "network", "job"} {
		list = append(list, key("schedules."+kind, "schedule or off", "", parseScheduleOrOff,
			"Overrides `schedules."+kind+"` for this cluster.").inherits("the value of `schedules."+kind+"`"))
	}
	for _, k := range limitKeys() {
		k.Doc = "Overrides `" + k.Path + "` for this cluster."
		k.value = ""
		list = append(list, k.inherits("the value of `"+k.Path+"`"))
	}
	for i := range list {
		list[i].Path = clustersPrefix + list[i].Path
	}
	return list
}

// limitKeys returns the limits of what is asked of a cluster, which stand at the top and, to override them, in each cluster.
func limitKeys() []Key {
	return []Key{
		key("refresh_budget", "share or off", "10%", parseShare,
			"The share of time that scheduled refreshes may keep a cluster's RAPI busy: `10%` or `0.1`. A cluster whose answers take longer is refreshed less often than scheduled, as `updater status`, the log and the metrics show: with 10%, a cluster that takes 15 s is refreshed every 150 s. `off` or `100%` keeps to the schedule. Explicit requests (`--once`, `updater clusters refresh`, a read) never wait for it."),
		key("timeouts.connect", "duration", "5s", parseDuration,
			"How long the TCP connection to RAPI may take."),
		key("timeouts.tls_handshake", "duration", "15s", parseDuration,
			"How long the TLS handshake may take. A RAPI whose 20 clients are all busy keeps a new one waiting for 10 seconds."),
		key("timeouts.first_byte", "duration", "60s", parseDuration,
			"How long RAPI may take to begin its answer. A hung node adds 5 seconds; a stopped luxid is reported after 30."),
		key("timeouts.total", "duration", "120s", parseDuration,
			"How long one request may take in all, with all addresses of a cluster together. It must not be shorter than any other time-out that is set."),
		key("timeouts.min_throughput", "size", "1KiB", parseSize,
			"How much of an answer that has begun must arrive each second, over 15 seconds, or over `timeouts.first_byte` where that is shorter. An answer that drips more slowly fails with the reason `slow`, long before `timeouts.total`. Set a smaller value for a network that really is slower; `1` allows nearly everything."),
		key("max_body", "size", "256MiB", parseSize,
			"The largest answer accepted from RAPI. 256 MiB hold about 80,000 VMs. A larger answer fails the refresh and changes nothing."),
	}
}

// key builds an entry of the table; value is the default as it would be written in the file.
func key(path, kind, value string, parse parser, doc string) Key {
	return Key{Path: path, Type: kind, Default: value, Doc: doc, value: value, parse: parse}
}

// inherits says in words where the default comes from.
func (k Key) inherits(from string) Key {
	k.Default = from
	return k
}

// listOf lets the key have several values of a type.
func (k Key) listOf(element string) Key {
	k.element = element
	return k
}

// ofCluster reports whether each cluster has the key.
func (k Key) ofCluster() bool { return strings.HasPrefix(k.Path, clustersPrefix) }

// defaultValue returns the default as Config holds it; false when there is none or it is inherited.
func (k Key) defaultValue() (any, bool) {
	if k.value == "" {
		return nil, false
	}
	value, err := k.parse(k.value)
	if err != nil {
		panic(fmt.Sprintf("config: the default of %s is invalid: %v", k.Path, err))
	}
	return value, true
}

// shorthand is one of the keys that describe a single cluster without a configuration file, by flags and environment.
type shorthand struct {
	name   string // "rapi_pin_sha256": --rapi-pin-sha256, UPDATER_RAPI_PIN_SHA256
	target string // "tls.pin_sha256"
}

// shorthands returns them all; clusters[0] is the cluster they describe.
func shorthands() []shorthand {
	return []shorthand{
		{"rapi", "rapi"},
		{"rapi_name", "name"},
		{"rapi_username", "username"},
		{"rapi_password_file", "password_file"},
		{"rapi_password_env", "password_env"},
		{"rapi_pin_sha256", "tls.pin_sha256"},
		{"rapi_ca_file", "tls.ca_file"},
		{"rapi_server_name", "tls.server_name"},
		{"rapi_insecure_skip_verify", "tls.insecure_skip_verify"},
	}
}
