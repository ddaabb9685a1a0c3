package rapisim

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// route is what a path can do. Paths that exist but do not know a method are
// answered with 501, known methods that the user has no right to with 403.
type route struct {
	get    func(url.Values) *reply // nil: no GET
	closed string                  // methods that need the option read or write
}

// consider is the reply of a cluster that is awake; the caller holds its lock.
func (c *Cluster) consider(method, path, query string) *reply {
	r, found := c.route(path)
	switch {
	case !found:
		return plainFailure(http.StatusNotFound)
	case method == http.MethodGet && r.get != nil:
		values, err := url.ParseQuery(query)
		if err != nil {
			return plainFailure(http.StatusBadRequest)
		}
		return r.get(values)
	case slices.Contains(strings.Fields(r.closed), method):
		return plainFailure(http.StatusForbidden)
	default:
		return failure(http.StatusNotImplemented, "Method "+method+" is unsupported for path "+path)
	}
}

func (c *Cluster) route(path string) (route, bool) {
	switch path {
	case "/", "/2":
		return fixed("null"), true
	case "/version":
		return fixed("2"), true
	case "/2/info":
		return route{get: func(url.Values) *reply { return ok(c.info()) }}, true
	case "/2/features":
		return fixed(`["instance-reinstall-reqv1", "instance-create-reqv1", "node-evac-res1", "node-migrate-reqv1"]`), true
	case "/2/os":
		return fixed(`["debootstrap+bookworm", "debootstrap+default", "debootstrap+trixie"]`), true
	case "/2/filters":
		r := fixed("[]")
		r.closed = "POST"
		return r, true
	case "/2/tags":
		return tagged(c.tags), true
	case "/2/redistribute-config", "/2/modify":
		return route{closed: "PUT"}, true
	}
	parts := strings.Split(strings.TrimPrefix(path, "/2/"), "/")
	if !strings.HasPrefix(path, "/2/") || slices.Contains(parts, "") {
		return route{}, false
	}
	switch parts[0] {
	case "instances":
		return c.instanceRoute(parts[1:])
	case "nodes":
		return c.nodeRoute(parts[1:])
	case "groups":
		return c.groupRoute(parts[1:])
	case "networks":
		return c.networkRoute(parts[1:])
	case "jobs":
		return c.jobRoute(parts[1:])
	case "query":
		return route{closed: "GET PUT"}, len(parts) == 2
	}
	return route{}, false
}

func fixed(json string) route {
	return route{get: func(url.Values) *reply { return okText(json) }}
}

func tagged(tags []string) route {
	var w writer
	w.strings(tags)
	r := fixed(string(w))
	r.closed = "PUT DELETE"
	return r
}

// listed serves a resource as the list of its names, or in bulk.
func listed(list func() string, bulk func() [][]byte) func(url.Values) *reply {
	return func(q url.Values) *reply {
		text := strings.TrimSpace(q.Get("bulk"))
		if text == "" {
			text = "0"
		}
		switch n, err := strconv.Atoi(text); {
		case err != nil:
			return failure(http.StatusBadRequest, "Invalid value for the 'bulk' parameter")
		case n == 0:
			return okText(list())
		default:
			return ok(bulk()...)
		}
	}
}

// names renders the list of a resource: a key, and the path of each.
func names(resource, key string, list func(yield func(string))) string {
	var w writer
	w.open('[')
	list(func(name string) {
		w.next()
		w.open('{')
		w.key(key)
		w.string(name)
		w.key("uri")
		w.string("/2/" + resource + "/" + name)
		w.close('}')
	})
	w.close(']')
	return string(w)
}

// prepared returns a bulk answer, rendered once and kept until a change.
func (c *Cluster) prepared(resource string, render func(add func(item []byte))) [][]byte {
	if c.ready[resource] == nil {
		w := writer("[")
		render(func(item []byte) {
			if len(item) > 0 {
				w.next()
				w = append(w, item...)
			}
		})
		w.raw("]\n")
		c.ready[resource] = w
	}
	return [][]byte{c.ready[resource]}
}

// pick finds the one name that is wanted, or that starts with wanted and a
// dot, as Ganeti completes short names.
func pick(wanted string, each func(yield func(string))) (string, bool) {
	var matches []string
	exact := false
	each(func(name string) {
		exact = exact || name == wanted
		if strings.HasPrefix(name, wanted+".") {
			matches = append(matches, name)
		}
	})
	switch {
	case exact:
		return wanted, true
	case len(matches) == 1:
		return matches[0], true
	}
	return "", false
}
