package db

import (
	"slices"
	"strings"

	"ganeticache/netaddr"
)

// statusesOf gives Ganeti's words for a status or a group of them. Ganeti's documentation of gnt-instance(8) lists them.
func statusesOf(status string) []string {
	switch status {
	case StatusDown:
		return []string{"ADMIN_down", "ADMIN_offline", "USER_down"}
	case StatusError:
		return []string{"ERROR_down", "ERROR_up", "ERROR_nodedown", "ERROR_nodeoffline", "ERROR_wrongnode"}
	}
	return []string{status}
}

// conditions adds what only VMs have.
func (f *VMFilter) conditions(c *filters) {
	var statuses []string
	for _, s := range f.Statuses {
		statuses = append(statuses, statusesOf(s)...)
	}
	c.anyOf("status", "name", "status", statuses)
	c.equal("primary_node", f.PrimaryNode)
	c.has(listSecondary(), f.SecondaryNode)
	c.onNode(f.Node)
	c.equal("os", f.OS)
	c.equal("disk_template", f.DiskTemplate)
	c.has(listIPs(), spellings(netaddr.IP, f.IP)...)
	c.has(listMACs(), spellings(netaddr.MAC, f.MAC)...)
	c.has(listNetworks(), f.Network)
	c.between("memory_mib", f.Memory)
	c.between("vcpus", f.VCPUs)
	c.between("disk_mib", f.Disk)
}

// spellings are the canonical form of an address, which columns hold, and those that a row may still have which an earlier
// version stored as Ganeti sent it.
func spellings(spell func(string) (string, bool), address string) []string {
	canonical, ok := spell(address)
	if !ok {
		return []string{address}
	}
	return slices.Compact(slices.Sorted(slices.Values([]string{canonical, address, strings.ToUpper(canonical)})))
}

// onNode adds the VMs that have a node as their primary or a secondary one.
func (f *filters) onNode(node string) {
	if node == "" {
		return
	}
	node = cleanText(node)
	secondary := f.d.search.has(f.t, listSecondary(), []string{node})
	c := condition{
		ids:    "SELECT id FROM virtual_machines WHERE primary_node = ? UNION ALL " + secondary.ids,
		idArgs: append([]any{node}, secondary.idArgs...),
	}
	c.test, c.args = f.d.search.among("v.id", c.ids), c.idArgs
	f.add(c)
}

// conditions adds what only nodes have.
func (f *NodeFilter) conditions(c *filters) {
	var roles []string
	names := map[string]string{"master": "M", "candidate": "C", "regular": "R", "drained": "D", "offline": "O"}
	for _, role := range f.Roles {
		if letter, ok := names[role]; ok {
			role = letter
		}
		roles = append(roles, role)
	}
	c.anyOf("role", "", "role", roles)
	if f.Group != "" {
		group := cleanText(f.Group)
		c.add(condition{
			test: exists("SELECT 1 FROM node_groups g WHERE g.cluster_id = v.cluster_id AND g.uuid = v.group_uuid" +
				" AND (g.name = ? OR g.uuid = ?)"),
			args: []any{group, group},
		})
	}
	if f.IP != "" {
		ips := c.d.list(cleanTexts(spellings(netaddr.IP, f.IP)))
		c.add(condition{test: "(" + c.d.in("v.primary_ip") + " OR " + c.d.in("v.secondary_ip") + ")", args: []any{ips, ips}})
	}
	c.between("memory_total_mib", f.MemoryTotal)
	c.between("memory_free_mib", f.MemoryFree)
	c.between("disk_total_mib", f.DiskTotal)
	c.between("disk_free_mib", f.DiskFree)
	c.between("cpus", f.CPUs)
}
