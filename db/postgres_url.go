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
	set := func(key, value string) {
		if !q.Has(key) {
			q.Set(key, value)
		}
	}
	hosts, addresses := servers(url)
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

// anyServer is the target_session_attrs of whoever takes any server.
const anyServer = "any"

// withTarget is the URL with another choice among its servers.
func withTarget(url *neturl.URL, target string) *neturl.URL {
	q := url.Query()
	q.Set("target_session_attrs", target)
	other := *url
	other.RawQuery = q.Encode()
	return &other
}

// servers lists the hosts that an address names, and their numerical addresses; each has one element at least.
func servers(url *neturl.URL) (hosts, addresses []string) {
	setting := func(key, env string) string { return cmp.Or(url.Query().Get(key), os.Getenv(env)) }
	return strings.Split(cmp.Or(url.Hostname(), setting("host", "PGHOST")), ","), strings.Split(setting("hostaddr", "PGHOSTADDR"), ",")
}

// isChoosy says whether a server that answers may be passed over.
func isChoosy(url *neturl.URL) bool {
	hosts, addresses := servers(url)
	target := cmp.Or(url.Query().Get("target_session_attrs"), os.Getenv("PGTARGETSESSIONATTRS"))
	return target != anyServer && (target != "" || len(hosts) > 1 || len(addresses) > 1)
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
