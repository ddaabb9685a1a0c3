package api

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"ganeticache/printable"
)

// This file judges what a browser says of a request: which name it was sent to, and whose page had it sent. A page of
// another site must not have Ganeti asked; and one that rebinds its own name to this address (DNS rebinding) must not read
// along where no token is asked for.

// fromAnotherSite says whether a browser sent the request for a page of another site. Browsers that do not say so by
// Sec-Fetch-Site (Fetch Metadata, W3C) name the page in Origin or Referer; programs send none of these.
func fromAnotherSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "":
	case "same-origin", "none": // "none" is what a person typed
		return false
	default:
		return true
	}
	if r.Header.Get("Authorization") != "" {
		return false // no page adds it without the consent of this server, which gives none
	}
	for _, name := range []string{"Origin", "Referer"} {
		if page := r.Header.Get(name); page != "" {
			u, err := url.Parse(page)
			return err != nil || !strings.EqualFold(u.Host, r.Host)
		}
	}
	return false
}

// hosts are the names under which a server answers.
type hosts struct {
	// chosen are those of the configuration, own the name listened on and the machine's.
	chosen, own []string
}

func newHosts(o Options) hosts {
	h := hosts{chosen: o.Hosts}
	if name, _, err := net.SplitHostPort(o.Address); err == nil && name != "" {
		h.own = append(h.own, name)
	}
	if name, err := os.Hostname(); err == nil {
		h.own = append(h.own, name)
	}
	return h
}

// private are the ends of names that nobody can register: RFC 6761, RFC 6762, RFC 8375, and those of Kubernetes.
func private() []string { return []string{".localhost", ".local", ".internal", ".home.arpa", ".svc"} }

// knows says whether no page of the internet can have been sent from the name in a Host header: an address, a name without
// a dot, one that ends privately, or one of this server's.
func (h hosts) knows(host string) bool {
	name := hostName(host)
	if _, err := netip.ParseAddr(name); err == nil || !strings.Contains(name, ".") {
		return true
	}
	return h.listed(host) || slices.ContainsFunc(h.own, sameName(name)) ||
		slices.ContainsFunc(private(), func(end string) bool { return strings.HasSuffix(name, end) })
}

// listed says whether the name in a Host header is one of the configuration's.
func (h hosts) listed(host string) bool {
	return slices.ContainsFunc(h.chosen, sameName(hostName(host)))
}

func sameName(name string) func(string) bool {
	return func(other string) bool { return strings.EqualFold(strings.TrimSuffix(other, "."), name) }
}

// hostName is a Host header without the port, the brackets and a last dot, in lower case.
func hostName(host string) string {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
}

// localHost says whether a Host header names this machine.
func localHost(host string) bool {
	name := hostName(host)
	return name == "localhost" || loopback(name)
}

// NotReadyError is why a process cannot do its work, for /readyz, where the reason names a cluster.
type NotReadyError struct {
	// Public is the reason without names: what anybody may know.
	Public string
	Err    error
}

// Error implements error.
func (e *NotReadyError) Error() string { return e.Err.Error() }

// Unwrap gives the reason with names.
func (e *NotReadyError) Unwrap() error { return e.Err }

// ready answers /readyz. The names of clusters are for those who see all of them: holders of a token of the scope admin, and
// who asks on this machine itself.
func ready(o Options) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		insider := !callerOf(r.Context()).restricted()
		err := o.Ready(r.Context())
		if named, ok := errors.AsType[*NotReadyError](err); ok && !insider {
			err = errors.New(named.Public + "; whoever asks with a token of the scope admin, or on this machine, is told which")
		}
		answer(w, err)
		if err == nil && o.Warnings != nil {
			for _, warning := range o.Warnings() {
				fmt.Fprintf(w, "warning: %s\n", printable.Text(warning))
			}
		}
	}
}

// watching is the caller of a route that needs no token: an insider if the request comes from this machine and nothing says
// that it was passed on for another, or has a token; nobody otherwise.
func (g *gate) watching(r *http.Request) caller {
	if r.Header.Get("Authorization") != "" && g.tokens != nil {
		if who, err := g.identify(r); err == nil {
			return who
		}
		return caller{}
	}
	passedOn := r.Header.Get("Forwarded") != "" || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Via") != ""
	if loopback(r.RemoteAddr) && localHost(r.Host) && !passedOn {
		return local()
	}
	return caller{}
}

// asks says whether a request wants Ganeti asked whatever is cached.
func asks(r *http.Request, pattern string) bool {
	if strings.HasSuffix(pattern, "/refresh") {
		return true
	}
	q := r.URL.Query()
	if q.Get("cache") == "refresh" {
		return true
	}
	age, err := parseAge(q.Get("max_age"))
	return err == nil && age < minMaxAge
}
