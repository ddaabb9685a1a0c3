package rapisim

import (
	"net/url"
	"strconv"
	"strings"
)

// alone serves one item; an item edited away answers with an empty line.
func alone(item func() []byte) func(url.Values) *reply {
	return func(url.Values) *reply { return ok(item(), []byte("\n")) }
}

func (c *Cluster) instanceNames(yield func(string)) {
	c.list.each(func(v *instance) { yield(v.name) })
}

func (c *Cluster) instanceRoute(parts []string) (route, bool) {
	if len(parts) == 0 {
		return route{closed: "POST", get: listed(
			func() string { return names("instances", "id", c.instanceNames) }, c.list.body)}, true
	}
	v := c.byName[parts[0]]
	if v == nil {
		v = c.byUUID[parts[0]]
	}
	if v == nil {
		name, found := pick(parts[0], c.instanceNames)
		if !found {
			return route{}, false
		}
		v = c.byName[name]
	}
	if len(parts) == 1 {
		return route{closed: "DELETE", get: alone(func() []byte { return v.append(nil) })}, true
	}
	switch strings.Join(parts[1:], "/") {
	case "tags":
		return tagged(v.tags), true
	case "console":
		return route{closed: "GET"}, true
	case "startup", "shutdown", "rename", "modify", "migrate", "failover", "activate-disks", "deactivate-disks":
		return route{closed: "PUT"}, true
	case "reboot", "reinstall", "replace-disks", "recreate-disks":
		return route{closed: "POST"}, true
	}
	return route{}, false
}

func (c *Cluster) nodeNames(yield func(string)) {
	for _, n := range c.nodes {
		yield(n.name)
	}
}

func (c *Cluster) nodeRoute(parts []string) (route, bool) {
	if len(parts) == 0 {
		return route{get: listed(
			func() string { return names("nodes", "id", c.nodeNames) },
			func() [][]byte {
				return c.prepared("nodes", func(add func([]byte)) {
					c.census()
					for _, n := range c.nodes {
						add(c.appendNode(nil, n, false))
					}
				})
			})}, true
	}
	name, found := pick(parts[0], c.nodeNames)
	if !found {
		return route{}, false
	}
	n, err := c.findNode(name)
	if err != nil {
		return route{}, false
	}
	if len(parts) == 1 {
		return route{get: alone(func() []byte { c.census(); return c.appendNode(nil, n, true) })}, true
	}
	switch strings.Join(parts[1:], "/") {
	case "tags":
		return tagged(n.tags), true
	case "role":
		r := fixed(`"` + roleName(c.role(n)) + `"`)
		r.closed = "PUT"
		return r, true
	case "evacuate", "migrate", "powercycle", "modify":
		return route{closed: "POST"}, true
	}
	return route{}, false
}

func roleName(role string) string {
	switch role {
	case "M":
		return "master"
	case "C":
		return "master-candidate"
	case "O":
		return "offline"
	default:
		return "regular"
	}
}

func (c *Cluster) groupNames(yield func(string)) {
	for _, g := range c.groups {
		yield(g.name)
	}
}

// groupRoute knows groups by their full name only, as Ganeti does.
func (c *Cluster) groupRoute(parts []string) (route, bool) {
	if len(parts) == 0 {
		return route{closed: "POST", get: listed(
			func() string { return names("groups", "name", c.groupNames) },
			func() [][]byte {
				return c.prepared("groups", func(add func([]byte)) {
					for _, g := range c.groups {
						add(c.appendGroup(nil, g))
					}
				})
			})}, true
	}
	g, err := c.findGroup(parts[0])
	if err != nil {
		return route{}, false
	}
	if len(parts) == 1 {
		return route{closed: "DELETE", get: alone(func() []byte { return c.appendGroup(nil, g) })}, true
	}
	switch strings.Join(parts[1:], "/") {
	case "tags":
		return tagged(g.tags), true
	case "modify", "rename", "assign-nodes":
		return route{closed: "PUT"}, true
	}
	return route{}, false
}

func (c *Cluster) networkNames(yield func(string)) {
	for _, n := range c.networks {
		yield(n.name)
	}
}

func (c *Cluster) networkRoute(parts []string) (route, bool) {
	if len(parts) == 0 {
		return route{closed: "POST", get: listed(
			func() string { return names("networks", "name", c.networkNames) },
			func() [][]byte {
				return c.prepared("networks", func(add func([]byte)) {
					for _, n := range c.networks {
						add(c.appendNetwork(nil, n))
					}
				})
			})}, true
	}
	for _, n := range c.networks {
		switch {
		case n.name != parts[0]:
		case len(parts) == 1:
			return route{closed: "DELETE", get: alone(func() []byte { return c.appendNetwork(nil, n) })}, true
		case len(parts) == 2 && parts[1] == "tags":
			return tagged(n.tags), true
		case len(parts) == 2 && (parts[1] == "connect" || parts[1] == "disconnect" || parts[1] == "modify"):
			return route{closed: "PUT"}, true
		}
	}
	return route{}, false
}

func (c *Cluster) jobIDs(yield func(string)) {
	for _, j := range c.jobs {
		yield(strconv.Itoa(j.id))
	}
}

func (c *Cluster) jobRoute(parts []string) (route, bool) {
	if len(parts) == 0 {
		return route{get: listed(c.jobList, func() [][]byte {
			return c.prepared("jobs", func(add func([]byte)) {
				for _, j := range c.jobs {
					add([]byte(j.text))
				}
			})
		})}, true
	}
	if digits(parts[0]) != parts[0] {
		return route{}, false
	}
	if len(parts) == 2 && parts[1] == "wait" {
		return route{closed: "GET"}, true
	}
	if len(parts) > 1 {
		return route{}, false
	}
	text := unknownJob(parts[0])
	for _, j := range c.jobs {
		if strconv.Itoa(j.id) == parts[0] {
			text = j.alone()
		}
	}
	r := fixed(text)
	r.closed = "DELETE"
	return r, true
}

// jobList is the list of jobs, whose ids are numbers.
func (c *Cluster) jobList() string {
	var w writer
	w.open('[')
	c.jobIDs(func(id string) {
		w.next()
		w.raw(`{"id": ` + id + `, "uri": "/2/jobs/` + id + `"}`)
	})
	w.close(']')
	return string(w)
}
