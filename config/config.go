// Package config reads the updater's configuration: strictly, in layers, and with one sentence for everything that is
// wrong.
//
// The layers are the built-in defaults, the YAML file, the environment (UPDATER_…) and the command line's flags; a
// later layer overrides an earlier one key by key. One table (keys.go) names every key with its type, default and
// meaning; the file, the environment, the flags and docs/configuration.md all follow from it, so none can know a key
// that another does not. An unknown key or variable is an error that names the nearest known one.
//
// The package opens no database and asks no cluster. It reads the configuration file once per Load, and the password
// files only when a client is about to be built (Cluster.Settings), so that a changed password is seen at once and a
// command that asks no cluster needs no right to read them. No password is ever held in a Config.
//
// A Config is not changed after Load and may be read by several goroutines at once.
package config

import (
	"time"

	"ganeticache/ganeti"
)

// Config is one complete, validated configuration. Values that a cluster inherits are already resolved: see Cluster.
type Config struct {
	// File is the configuration file that was read; empty when there was none.
	File string `key:"-"`

	// DatabaseURL says where the cache lives: sqlite:PATH or postgres://…. Default sqlite:ganeti-cache.db. A relative
	// path is relative to the working directory, so a daemon should name an absolute one. It may hold a password,
	// which nothing but Reveal gives away.
	DatabaseURL DatabaseURL `key:"database_url"`

	// Schedule says when VMs and nodes are refreshed: a cron expression or "@every 1m", the default. Shorter means
	// fresher rows and more work for each cluster's RAPI.
	Schedule string `key:"schedule"`

	// Schedules says when each kind is refreshed. After Load each field is an expression, or empty: never.
	Schedules Schedules `key:"schedules"`

	// RefreshBudget is the share of time that scheduled refreshes may keep a cluster's RAPI busy, in (0, 1]; 1 is no limit.
	// Default 0.1. A cluster may override it.
	RefreshBudget float64 `key:"refresh_budget"`

	// Concurrency is how many clusters' answers are worked on at the same time. Default 8. More shortens a round over many
	// clusters and costs one connection and some memory each.
	Concurrency int `key:"concurrency"`

	// Listen is the address of metrics, health and read API. Default 127.0.0.1:9150; empty means no listener.
	Listen string `key:"listen"`

	// API says who reads over HTTP, and how much.
	API API `key:"api"`

	// MaxAge is how old a row may be before the read API has Ganeti asked about it, unless the reader says otherwise.
	// Default 10m. It lies above the schedules, so that reading is the fallback and not what keeps rows fresh.
	MaxAge time.Duration `key:"max_age"`

	// Retention is how long a removed object is kept as a tombstone. Default 720h (30 days). An object that returns
	// within that time is the same row again, with its id and its permissions; later it is a new one.
	Retention time.Duration `key:"retention"`

	// RetentionChanges is how long entries of changes are kept; KeepForever when it is off. Zero, the default: what was settled
	// when the database was made, a year in a new one and for ever in one of before that key.
	RetentionChanges time.Duration `key:"retention_changes"`

	// Lease is how long the clusters of an updater stay its own when it is not heard of any more. Default 30s, at least 2s.
	Lease time.Duration `key:"lease"`

	// Guard limits how much one snapshot may remove.
	Guard Guard `key:"guard"`

	// Timeouts bounds each request to RAPI; a cluster may override any of them.
	Timeouts Timeouts `key:"timeouts"`

	// MaxBody is the largest answer accepted from RAPI, in bytes. Default 256 MiB. A larger one fails the refresh and
	// changes nothing.
	MaxBody int64 `key:"max_body"`

	// SecretKeyFile names the key of the credentials' hashes and of the passwords sealed in the database; see
	// Config.SecretKey. Default: systemd's credential secret_key, if there is one, else none. Updaters on several machines
	// that share a database need the same one, or each would replace the hashes of the other.
	SecretKeyFile string `key:"secret_key_file"`

	// PasswordDir is the directory below which the password files of clusters kept in the database must lie; see
	// Config.ReadStoredPassword. Default: that of the configuration file, else none.
	PasswordDir string `key:"password_dir"`

	// Redact are names of fields whose values are not stored, beside the built-in ones; see ganeti.NewRedactor. Default: none.
	Redact []string `key:"redact"`

	// OwnerTags says which tags of VMs grant permissions. Default: none.
	OwnerTags OwnerTags `key:"owner_tags"`

	// Log says what is logged, and how.
	Log Log `key:"log"`

	// Clusters are the clusters to cache, in the order of the file.
	Clusters []Cluster `key:"-"`

	// adHoc says that the one cluster was described by flags or variables.
	adHoc bool

	// credentials is the folder of systemd's credentials, for Warnings; empty when there is none.
	credentials string

	// flagged holds the keys whose value came from the command line, for Warnings.
	flagged map[string]bool
}

// Flagged reports whether the one cluster was described by flags or UPDATER_RAPI… variables instead of a list. Such a
// run speaks for that cluster alone: others in the database are none of its business.
func (c *Config) Flagged() bool { return c.adHoc }

// Schedules holds one cron expression per kind; after Load an empty one means that the kind is not refreshed.
type Schedules struct {
	// VM is the schedule of VMs and of the cluster's own facts. Default: Schedule.
	VM string `key:"vm"`
	// Node is the schedule of nodes. Default: Schedule.
	Node string `key:"node"`
	// Group is the schedule of node groups, which change rarely. Default "@every 15m".
	Group string `key:"group"`
	// Network is the schedule of networks, which change rarely. Default "@every 15m".
	Network string `key:"network"`
	// Job is the schedule of jobs. Default off: a busy cluster's list of jobs is long, and most sites ask Ganeti.
	Job string `key:"job"`
}

// API says who reads over HTTP, and how much.
type API struct {
	// Enabled says whether the listener serves what is cached, and not only metrics and health. Default true.
	Enabled bool `key:"enabled"`
	// TokensFile names the file with the hashes of the tokens. Default none: no token is asked for, and therefore only a
	// loopback address may be listened on.
	TokensFile string `key:"tokens_file"`
	// Rate is how many requests a second a token, or an address without one, may send in the long run. Default 20.
	Rate int `key:"rate"`
	// RefreshRate is how many of these may have Ganeti asked whatever is cached. Default 10.
	RefreshRate int `key:"refresh_rate"`
	// Hosts are further names under which the listener is reached. Default none.
	Hosts []string `key:"hosts"`
	// ReadyMaxAge is the age of a cluster's VMs above which /readyz says no. Default 0: any age is good.
	ReadyMaxAge time.Duration `key:"ready_max_age"`
}

// Guard is the mass-removal guard: a snapshot that would remove more than MaxObjects objects and more than MaxPercent
// of its kind adds and updates, but its removals wait for the operator or for Snapshots further complete snapshots that
// agree.
type Guard struct {
	// MaxObjects is how many objects of a kind one snapshot may remove whatever their share. Default 10.
	MaxObjects int `key:"max_objects"`
	// MaxPercent is the share of a kind, in percent, that one snapshot may remove whatever the number. Default 25;
	// with 100 only the loss of all of them waits.
	MaxPercent int `key:"max_percent"`
	// Snapshots is how many further complete snapshots must show the same absence before it is believed. Default 3.
	Snapshots int `key:"snapshots"`
}

// Timeouts bounds one request to RAPI. It has the fields of ganeti.Timeouts, in their order.
type Timeouts struct {
	// Connect bounds the TCP connection. Default 5s.
	Connect time.Duration `key:"connect"`
	// TLSHandshake bounds the TLS handshake, which a busy RAPI delays by 10 seconds. Default 15s.
	TLSHandshake time.Duration `key:"tls_handshake"`
	// FirstByte bounds the wait for the answer's first byte: a hung node adds 5 seconds, a dead luxid 30. Default 60s.
	FirstByte time.Duration `key:"first_byte"`
	// Total bounds the whole request. Default 120s.
	Total time.Duration `key:"total"`
	// MinThroughput is how many bytes a second of a begun answer must arrive, over 15 seconds. Default 1KiB.
	MinThroughput int64 `key:"min_throughput"`
}

// Ganeti returns t as the client wants it.
func (t Timeouts) Ganeti() ganeti.Timeouts { return ganeti.Timeouts(t) }

// OwnerTags says which tags of VMs grant a permission on them.
type OwnerTags struct {
	// Pattern is a regular expression for a whole tag. Its group, or the one named "subject", is who gets the permission;
	// a group named "permission" overrides Permission. Empty: no tag grants anything.
	Pattern string `key:"pattern"`
	// Permission is what such a tag grants. Default "owner".
	Permission string `key:"permission"`
}

// Log says what is logged, and how.
type Log struct {
	// Level is debug, info, warn or error; less important lines are dropped. Default info.
	Level string `key:"level"`
	// Format is json, console, or auto: console on a terminal, else json. Default auto.
	Format string `key:"format"`
}
