package rapisim

import (
	"cmp"
	_ "embed"
	"slices"
	"strings"
)

//go:embed answers/group_params.json
var groupParams string

// Group is what a cluster knows of one node group.
type Group struct {
	UUID, Name, AllocPolicy string
	Nodes, Tags             []string
	SerialNo                int
	CTime, MTime            float64
}

type group struct {
	uuid, name, policy string
	tags               []string
	serial             int
	ctime, mtime       float64
	edit               Edit
}

// members lists a group's nodes in the order of Ganeti's configuration, which
// is that of their uuids.
func (c *Cluster) members(g *group) []string {
	var in []*node
	for _, n := range c.nodes {
		if n.group == g {
			in = append(in, n)
		}
	}
	slices.SortFunc(in, func(a, b *node) int { return cmp.Compare(a.uuid, b.uuid) })
	names := make([]string, len(in))
	for i, n := range in {
		names[i] = n.name
	}
	return names
}

func (c *Cluster) appendGroup(b []byte, g *group) []byte {
	w := writer(b)
	start := len(w)
	members := c.members(g)
	w.open('{')
	w.key("alloc_policy")
	w.string(g.policy)
	w.key("name")
	w.string(g.name)
	w.key("node_cnt")
	w.int(len(members))
	w.key("node_list")
	w.strings(members)
	w.next()
	w.raw(strings.TrimSpace(groupParams))
	writeStamps(&w, g.ctime, g.mtime, g.uuid, g.serial, g.tags)
	w.close('}')
	return edited(w, start, g.edit)
}

func (c *Cluster) exportGroup(g *group) Group {
	return Group{
		UUID: g.uuid, Name: g.name, AllocPolicy: g.policy, Nodes: c.members(g),
		Tags: slices.Clone(g.tags), SerialNo: g.serial, CTime: g.ctime, MTime: g.mtime,
	}
}
