package rapisim

import "slices"

// Node is what a cluster knows of one node.
type Node struct {
	UUID, Name, Group string
	// Role is M, C, R, D or O, as in Ganeti.
	Role string
	// Down: its node daemon does not answer. Offline: marked so by an admin.
	Down, Offline bool
	PrimaryIP     string
	// Primaries and Secondaries count the instances that name this node.
	Primaries, Secondaries int
	Tags                   []string
	SerialNo               int
	CTime, MTime           float64
}

const ndparams = `{"oob_program": "", "spindle_count": 1, "exclusive_storage": false, "ovs": false, ` +
	`"ovs_name": "switch1", "ovs_link": "", "ssh_port": 22, "cpu_speed": 1}`

type node struct {
	uuid, name, ip         string
	group                  *group
	down, offline          bool
	memory, system         int // MiB: all of it, what the host itself uses
	diskMiB, freeMiB       int
	cpus, sockets          int
	tags                   []string
	serial                 int
	ctime, mtime           float64
	edit                   Edit
	primaries, secondaries []string // counted when nodes are rendered
	guestsMiB              int
}

// census counts each node's instances, once for all nodes.
func (c *Cluster) census() {
	for _, n := range c.nodes {
		n.primaries, n.secondaries, n.guestsMiB = n.primaries[:0], n.secondaries[:0], 0
	}
	c.list.each(func(v *instance) {
		v.node.primaries = append(v.node.primaries, v.name)
		v.node.guestsMiB += v.usedMiB()
		if v.second != nil {
			v.second.secondaries = append(v.second.secondaries, v.name)
		}
	})
}

// role follows Ganeti: every node that is neither offline nor the master is a
// candidate while the pool of ten has room.
func (c *Cluster) role(n *node) string {
	switch {
	case n == c.master:
		return "M"
	case n.offline:
		return "O"
	}
	pool := 1
	for _, other := range c.nodes {
		if other == n {
			break
		}
		if other != c.master && !other.offline {
			pool++
		}
	}
	if pool < 10 {
		return "C"
	}
	return "R"
}

// appendNode renders a node; alone, not in bulk, it has one field more.
func (c *Cluster) appendNode(b []byte, n *node, alone bool) []byte {
	w := writer(b)
	start := len(w)
	role, known := c.role(n), !n.down && !n.offline
	w.open('{')
	w.key("name")
	w.string(n.name)
	w.key("offline")
	w.bool(n.offline)
	w.key("master_candidate")
	w.bool(role == "M" || role == "C")
	w.key("drained")
	w.bool(false)
	n.writeResources(&w, known)
	w.key("pip")
	w.string(n.ip)
	w.key("sip")
	w.string(n.ip)
	w.key("role")
	w.string(role)
	w.key("pinst_list")
	w.strings(n.primaries)
	w.key("sinst_list")
	w.strings(n.secondaries)
	w.key("master_capable")
	w.bool(true)
	w.key("vm_capable")
	w.bool(true)
	w.key("ndparams")
	w.raw(ndparams)
	w.key("group.uuid")
	w.string(n.group.uuid)
	writeStamps(&w, n.ctime, n.mtime, n.uuid, n.serial, n.tags)
	if alone {
		w.key("secondary_ip")
		w.string(n.ip)
	}
	w.close('}')
	return edited(w, start, n.edit)
}

func (n *node) writeResources(w *writer, known bool) {
	number := func(key string, v int) {
		w.key(key)
		w.intOrNull(v, known)
	}
	number("dtotal", n.diskMiB)
	number("dfree", n.freeMiB)
	w.key("sptotal")
	w.null()
	w.key("spfree")
	w.null()
	number("mtotal", n.memory)
	number("mnode", n.system)
	number("mfree", max(0, n.memory-n.system-n.guestsMiB))
	w.key("pinst_cnt")
	w.int(len(n.primaries))
	w.key("sinst_cnt")
	w.int(len(n.secondaries))
	number("ctotal", n.cpus)
	number("cnos", n.cpus)
	number("cnodes", 1)
	number("csockets", n.sockets)
}

// writeStamps writes what ends the items of every configured kind.
func writeStamps(w *writer, ctime, mtime float64, uuid string, serial int, tags []string) {
	w.key("ctime")
	if ctime == 0 {
		w.int(0) // the group made at initialization: an integer
	} else {
		w.float(ctime)
	}
	w.key("mtime")
	w.float(mtime)
	w.key("uuid")
	w.string(uuid)
	w.key("serial_no")
	w.int(serial)
	w.key("tags")
	w.strings(tags)
}

func edited(w writer, start int, edit Edit) []byte {
	if edit == nil {
		return w
	}
	return append(w[:start], edit(slices.Clone(w[start:]))...)
}

func (c *Cluster) exportNode(n *node) Node {
	return Node{
		UUID: n.uuid, Name: n.name, Group: n.group.name, Role: c.role(n),
		Down: n.down, Offline: n.offline, PrimaryIP: n.ip,
		Primaries: len(n.primaries), Secondaries: len(n.secondaries),
		Tags: slices.Clone(n.tags), SerialNo: n.serial, CTime: n.ctime, MTime: n.mtime,
	}
}
