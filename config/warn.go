package config

import (
	"fmt"
	"strings"
	"time"

	"ganeticache/ganeti"
)

const (
	// hastySchedule is the interval below which a schedule is called out: Ganeti's own RAPI takes about a second to
	// list a few hundred VMs.
	hastySchedule = 5 * time.Second
	// shortRetention is the retention below which it is called out.
	shortRetention = 24 * time.Hour
)

// Warnings returns what is allowed but probably not wanted, one sentence each: unchecked certificates, files that other
// users can read, schedules and timeouts that defeat themselves. It looks at the files' modes each time.
func (c *Config) Warnings() []string {
	var w []string
	w = append(w, c.clusterWarnings()...)
	w = append(w, c.secretWarnings()...)
	w = append(w, c.Timeouts.Ganeti().Warnings()...)
	if c.Retention < shortRetention {
		w = append(w, fmt.Sprintf("retention: after %s a removed VM loses its id and its permissions for good; "+
			"a day or more leaves time to notice a mistake", c.Retention))
	}
	return w
}

func (c *Config) clusterWarnings() []string {
	var w []string
	enabled := 0
	addresses := map[ganeti.Address]string{}
	hasty := map[string]bool{}
	for _, cl := range c.Clusters {
		if cl.Enabled {
			enabled++
		}
		if cl.TLS.InsecureSkipVerify {
			w = append(w, fmt.Sprintf("INSECURE: cluster %s is asked without checking its certificate (tls.insecure_skip_verify); whoever is "+
				"on the way can read the password and forge the answers; use tls.pin_sha256, which `updater trust` prints", cl.Name))
		}
		if cl.warning != "" {
			w = append(w, cl.warning)
		}
		if odd := cl.passwordWarning(); odd != "" {
			w = append(w, odd)
		}
		w = append(w, sharedAddress(addresses, cl)...)
		w = append(w, outdatedTLS(cl)...)
		w = append(w, c.slowerThanMaxAge(cl)...)
		for _, text := range []string{cl.Schedules.VM, cl.Schedules.Node, cl.Schedules.Group, cl.Schedules.Network, cl.Schedules.Job} {
			if i := interval(text); text != "" && i < hastySchedule && !hasty[text] {
				hasty[text] = true
				w = append(w, fmt.Sprintf("schedule: %q asks RAPI more often than every %s, and it serves 20 clients at most", text, hastySchedule))
			}
		}
		if cl.Timeouts != c.Timeouts {
			for _, s := range cl.Timeouts.Ganeti().Warnings() {
				w = append(w, "cluster "+cl.Name+": "+s)
			}
		}
	}
	switch {
	case len(c.Clusters) == 0:
		w = append(w, "clusters: none is configured, so nothing will be refreshed")
	case enabled == 0:
		w = append(w, "clusters: all are disabled, so nothing will be refreshed")
	}
	return w
}

// slowerThanMaxAge calls out a schedule that lets rows grow older than readers accept: each read of an old row would ask
// Ganeti, which the schedule is there to avoid. Groups and networks are left out: their default is slower on purpose, and
// they are few.
func (c *Config) slowerThanMaxAge(cl Cluster) []string {
	for _, text := range []string{cl.Schedules.VM, cl.Schedules.Node} {
		if i := interval(text); text != "" && i >= c.MaxAge {
			return []string{fmt.Sprintf("schedule: cluster %s is refreshed every %s (%q), but max_age lets readers accept %s; "+
				"make the schedule shorter or max_age longer, or reading will ask Ganeti again and again", cl.Name, i, text, c.MaxAge)}
		}
	}
	return nil
}

// sharedAddress calls out an address that another cluster has, too, and notes those of this one in seen. One with an
// address that cannot be read has a problem of its own.
func sharedAddress(seen map[ganeti.Address]string, cl Cluster) []string {
	addresses, err := cl.settings().Addresses()
	if err != nil {
		return nil
	}
	var w []string
	for _, a := range addresses {
		a.Host = strings.TrimSuffix(strings.ToLower(a.Host), ".")
		other, twice := seen[a]
		switch {
		case !twice || len(w) > 0:
		case cl.AllowDuplicate:
			w = append(w, fmt.Sprintf("clusters %s and %s have the same address; every VM of it will be cached twice", other, cl.Name))
		default:
			w = append(w, fmt.Sprintf("clusters %s and %s have the same address; a Ganeti cluster is cached under one name, and refused under "+
				"another one", other, cl.Name))
		}
		seen[a] = cl.Name
	}
	return w
}

func (c *Config) secretWarnings() []string {
	w := c.fileWarnings()
	if hasPassword(c.DatabaseURL) && c.flagged["database_url"] {
		w = append(w, "--database: the address holds a password, and every user of this machine can read a program's arguments; "+
			"set UPDATER_DATABASE_URL instead, or leave the password to ~/.pgpass or PGPASSWORD")
	}
	return w
}

// outdatedTLS calls out the one way down from TLS 1.2.
func outdatedTLS(cl Cluster) []string {
	if !ganeti.TLS(cl.TLS).Outdated() {
		return nil
	}
	return []string{fmt.Sprintf("INSECURE: cluster %s may be asked over TLS %s (tls.min_version), which whoever is on the way may break "+
		"to read the password and forge the answers; remove the key when its RAPI speaks TLS 1.2", cl.Name, cl.TLS.MinVersion)}
}
