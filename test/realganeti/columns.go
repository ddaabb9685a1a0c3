package main

import (
	"maps"
	"strings"
)

// The tables below say what each column must hold, in terms of RAPI's own answer. They follow the contract of the
// database (docs/database.md), not the updater's code.

// kind is a kind of cached objects: where RAPI lists it and which table holds it.
type kind struct {
	name, path, table string
	columns           []column
	// keys of info that move by themselves, and are left out when info is compared.
	drifting []string
}

// column is a column and the value it must have.
type column struct {
	name string
	sort sort
	want func(object) any
	// unlogged columns are no change of the object by themselves and have no entries in changes.
	unlogged bool
	// drifts is the key of info that a column follows whose value moves by itself between two answers; it is compared with
	// the answer that the row keeps in info.
	drifts string
}

// kinds lists them all, in the order of the table at the end.
func kinds() []kind {
	return []kind{
		{name: "cluster", path: "/2/info", table: "clusters", columns: []column{
			text("ganeti_name", "name"), text("software_version", "software_version"), text("master_node", "master"),
			list("tags", "tags"),
		}},
		{name: "vm", path: "/2/instances", table: "virtual_machines", columns: vmColumns()},
		{name: "node", path: "/2/nodes", table: "nodes", columns: nodeColumns(), drifting: []string{"mfree", "mnode", "dfree"}},
		{name: "group", path: "/2/groups", table: "node_groups", columns: append([]column{
			text("name", "name"), text("alloc_policy", "alloc_policy"), number("node_count", "node_cnt"),
			sorted("nodes", "node_list"),
		}, common()...)},
		{name: "network", path: "/2/networks", table: "networks", columns: append([]column{
			text("name", "name"), text("network", "network"), text("gateway", "gateway"), text("network6", "network6"),
			text("gateway6", "gateway6"), text("mac_prefix", "mac_prefix"),
			unlogged(number("free_count", "free_count")), unlogged(number("reserved_count", "reserved_count")),
		}, common()...)},
		{name: "job", path: "/2/jobs", table: "jobs", columns: []column{
			{name: "name", sort: sortText, want: func(o object) any { return firstSummary(o) }},
			text("status", "status"), list("summary", "summary"),
			moment("received_at", "received_ts"), moment("started_at", "start_ts"), moment("ended_at", "end_ts"),
		}},
	}
}

func vmColumns() []column {
	return append([]column{
		text("name", "name"), text("status", "status"), text("admin_state", "admin_state"), truth("oper_state", "oper_state"),
		text("primary_node", "pnode"), list("secondary_nodes", "snodes"), text("os", "os"),
		text("disk_template", "disk_template"), number("vcpus", "beparams", "vcpus"), number("memory_mib", "beparams", "maxmem"),
		number("oper_memory_mib", "oper_ram"),
		{name: "disk_mib", sort: sortNumber, want: func(o object) any { return total(o["disk.sizes"]) }},
		list("nic_ips", "nic.ips"), list("nic_macs", "nic.macs"), list("nic_links", "nic.links"),
		list("nic_networks", "nic.networks.names"), number("network_port", "network_port"),
	}, common()...)
}

func nodeColumns() []column {
	return append([]column{
		text("name", "name"), text("role", "role"), truth("offline", "offline"), truth("drained", "drained"),
		truth("master_candidate", "master_candidate"), truth("master_capable", "master_capable"), truth("vm_capable", "vm_capable"),
		text("group_uuid", "group.uuid"), text("primary_ip", "pip"), text("secondary_ip", "sip"),
		number("memory_total_mib", "mtotal"), drifts("memory_free_mib", "mfree"), drifts("memory_node_mib", "mnode"),
		number("disk_total_mib", "dtotal"), drifts("disk_free_mib", "dfree"), number("cpus", "ctotal"),
		number("cpu_sockets", "csockets"), number("cpu_nodes", "cnodes"), number("cpus_reserved", "cnos"),
		unlogged(number("primary_instances", "pinst_cnt")), unlogged(number("secondary_instances", "sinst_cnt")),
	}, common()...)
}

// common are the columns that all but clusters and jobs have.
func common() []column {
	return []column{list("tags", "tags"), number("serial_no", "serial_no"), moment("ctime", "ctime"), moment("mtime", "mtime")}
}

func text(name string, path ...string) column {
	return column{name: name, sort: sortText, want: func(o object) any { return textValue(at(o, path)) }}
}

func number(name string, path ...string) column {
	return column{name: name, sort: sortNumber, want: func(o object) any { return numberValue(at(o, path)) }}
}

func truth(name, key string) column {
	return column{name: name, sort: sortTruth, want: func(o object) any { return o[key] }}
}

func list(name, key string) column {
	return column{name: name, sort: sortList, want: func(o object) any { return listValue(o[key], false) }}
}

// sorted is for a list whose order in RAPI means nothing.
func sorted(name, key string) column {
	return column{name: name, sort: sortList, want: func(o object) any { return listValue(o[key], true) }}
}

func moment(name, key string) column {
	return column{name: name, sort: sortMoment, want: func(o object) any { return momentValue(o[key]) }}
}

func drifts(name, key string) column {
	c := unlogged(number(name, key))
	c.drifts = key
	return c
}

func unlogged(c column) column {
	c.unlogged = true
	return c
}

// at follows the keys into an object; what is not there is nil.
func at(o object, path []string) any {
	for _, key := range path[:len(path)-1] {
		o, _ = o[key].(object)
	}
	return o[path[len(path)-1]]
}

// identity is what tells an object from the others of its kind: its uuid, or the number of a job.
func (k kind) identity(o object) string {
	if k.name == "job" {
		id, _ := textOf(o["id"])
		return id
	}
	uuid, _ := o["uuid"].(string)
	return uuid
}

// info is the object in the form in which two of them are compared.
func (k kind) info(o object) string {
	shown := maps.Clone(o)
	for _, key := range k.drifting {
		delete(shown, key)
	}
	return canonical(shown)
}

// firstSummary is the name of a job: what its first operation does, and to whom.
func firstSummary(o object) string {
	if all, ok := o["summary"].([]any); ok && len(all) > 0 {
		return strings.TrimSpace(textValue(all[0]).(string))
	}
	return ""
}
