package trial

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ganeticache/ganeti/rapisim"
)

// kindSpec says how rows of a kind become the text of an [Object].
type kindSpec struct {
	kind, table string
	// state and volatile are SQL over the row, aliased v; in Go their counterparts are below.
	state, volatile string
}

// text is one column in the state: what is NULL is empty.
func text(columns ...string) string {
	for i, c := range columns {
		columns[i] = "coalesce(" + c + "::text, '')"
	}
	return "concat_ws('|', " + strings.Join(columns, ", ") + ")"
}

func list(column string) string { return "array_to_string(" + column + ", ',', '')" }

// kindSpecs lists what is compared, in the order of a refresh.
func kindSpecs() []kindSpec {
	return []kindSpec{
		{
			kind: "vm", table: "virtual_machines",
			state: text("v.name", "v.status", "v.admin_state", "v.oper_state", "v.primary_node", list("v.secondary_nodes"), "v.os",
				"v.disk_template", "v.vcpus", "v.memory_mib", "v.disk_mib", list("v.nic_ips"), list("v.nic_macs"),
				list("v.nic_links"), list("v.nic_networks"), "v.network_port", list("v.tags"), "v.serial_no"),
			volatile: "''",
		},
		{
			kind: "node", table: "nodes",
			state:    text("v.name", "v.role", "v.offline", "v.group_uuid", "v.primary_ip", list("v.tags"), "v.serial_no"),
			volatile: text("v.primary_instances", "v.secondary_instances"),
		},
		{
			kind: "group", table: "node_groups",
			state:    text("v.name", "v.alloc_policy", "v.node_count", list("v.nodes"), list("v.tags"), "v.serial_no"),
			volatile: "''",
		},
		{
			kind: "network", table: "networks",
			state: text("v.name", "v.network", "v.gateway", "v.network6", "v.gateway6", "v.mac_prefix", list("v.tags"),
				"v.serial_no"),
			volatile: text("v.free_count", "v.reserved_count"),
		},
	}
}

// truth reads everything a simulated cluster has. Nobody may change it meanwhile, or the kinds do not fit together.
func truth(c *rapisim.Cluster) []Object {
	var out []Object
	for _, i := range c.Instances() {
		out = append(out, vmObject(i))
	}
	groups := map[string]string{}
	for _, g := range c.Groups() {
		groups[g.Name] = g.UUID
		nodes := slices.Sorted(slices.Values(g.Nodes))
		out = append(out, Object{Kind: "group", UUID: g.UUID, State: join(
			g.Name, g.AllocPolicy, len(g.Nodes), strings.Join(nodes, ","), strings.Join(g.Tags, ","), g.SerialNo)})
	}
	for _, n := range c.Nodes() {
		out = append(out, Object{
			Kind: "node", UUID: n.UUID, State: join(
				n.Name, n.Role, n.Offline, groups[n.Group], n.PrimaryIP, strings.Join(n.Tags, ","), n.SerialNo),
			Volatile: join(n.Primaries, n.Secondaries),
		})
	}
	for _, n := range c.Networks() {
		out = append(out, Object{
			Kind: "network", UUID: n.UUID, State: join(
				n.Name, n.Network, n.Gateway, n.Network6, n.Gateway6, n.MACPrefix, strings.Join(n.Tags, ","), n.SerialNo),
			Volatile: join(n.FreeCount, n.ReservedCount),
		})
	}
	slices.SortFunc(out, func(a, b Object) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.UUID, b.UUID))
	})
	return out
}

func vmObject(i rapisim.Instance) Object {
	oper, port, disk := "", "", 0
	if i.OperState != nil {
		oper = strconv.FormatBool(*i.OperState)
	}
	if i.NetworkPort != 0 {
		port = strconv.Itoa(i.NetworkPort)
	}
	for _, d := range i.DiskSizesMiB {
		disk += d
	}
	of := func(field func(rapisim.NIC) string) string {
		all := make([]string, len(i.NICs))
		for at, n := range i.NICs {
			all[at] = field(n)
		}
		return strings.Join(all, ",")
	}
	return Object{Kind: "vm", UUID: i.UUID, State: join(
		i.Name, i.Status, i.AdminState, oper, i.PNode, strings.Join(i.SNodes, ","), i.OS, i.DiskTemplate, i.VCPUs,
		i.MemoryMiB, disk, of(func(n rapisim.NIC) string { return n.IP }), of(func(n rapisim.NIC) string { return n.MAC }),
		of(func(n rapisim.NIC) string { return n.Link }), of(func(n rapisim.NIC) string { return n.Network }),
		port, strings.Join(i.Tags, ","), i.SerialNo)}
}

func join(values ...any) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = fmt.Sprint(v)
	}
	return strings.Join(parts, "|")
}
