package db

import (
	"cmp"
	"errors"
	"net"
	neturl "net/url"
	"os"
	"slices"
	"strings"
)

// postgresDefaults adds what the URL leaves open.
func postgresDefaults(url *neturl.URL) (string, error) {
	q := url.Query()
	setting := func(key, env string) string { return cmp.Or(q.Get(key), os.Getenv(env)) }
	set := func(key, value string) {
		if !q.Has(key) {
			q.Set(key, value)
		}
	}
	hosts := strings.Split(cmp.Or(url.Hostname(), setting("host", "PGHOST")), ",")
	addresses := strings.Split(setting("hostaddr", "PGHOSTADDR"), ",")
	remote := func(host string) bool { return !isLocal(host) }
	anyRemote := slices.ContainsFunc(hosts, remote) || slices.ContainsFunc(addresses, remote)
	service := hasService(q)
	if isSocket(hosts[0]) && len(hosts) > 1 && anyRemote {
		// The driver turns TLS off for all hosts when the first one is a socket.
		return "", errors.New("the database URL names a socket directory and another machine; name this machine as localhost instead")
	}
	if !service { // which may name the user, too
		if err := nameUser(url, q); err != nil {
			return "", err
		}
	}
	switch {
	case os.Getenv("PGSSLMODE") != "" || service:
		// said elsewhere; lib/pq's own default is require
	case anyRemote:
		set("sslmode", "verify-full")
	default:
		set("sslmode", "disable")
	}
	if (len(hosts) > 1 || len(addresses) > 1) && os.Getenv("PGTARGETSESSIONATTRS") == "" && !service {
		// Whoever names several wants the one that takes writes, whichever it is at the time.
		set("target_session_attrs", "read-write")
	}
	if os.Getenv("PGCONNECT_TIMEOUT") == "" {
		// database/sql opens connections without the query's context; this bounds them.
		set("connect_timeout", "10")
	}
	set("application_name", "ganeti-cache-updater")
	// A query and its values go in one round trip instead of two, and both to the same server behind a pooler; arrays of
	// rows go as they are.
	q.Set("binary_parameters", "yes")
	q.Set("timezone", "UTC")
	full := *url
	full.RawQuery = q.Encode()
	return full.String(), nil
}

// isLocal reports whether a connection to host stays on this machine: "" (the default), a socket directory, loopback.
func isLocal(host string) bool {
	if host == "" || host == "localhost" || isSocket(host) {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func isSocket(host string) bool { return strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") }
