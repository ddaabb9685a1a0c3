package db

// Kind is what is cached. The values are part of the SQL contract.
type Kind string

// The kinds of cached objects.
const (
	KindCluster Kind = "cluster"
	KindVM      Kind = "vm"
	KindNode    Kind = "node"
	KindGroup   Kind = "group"
	KindNetwork Kind = "network"
	KindJob     Kind = "job"
)

// Op is what happened to an object. The values are part of the SQL contract.
type Op string

// The operations that changes record. A removed object that is seen again is restored, not created; an object that is
// renamed and changed in the same snapshot is renamed, with all its fields.
const (
	OpCreated  Op = "created"
	OpUpdated  Op = "updated"
	OpRenamed  Op = "renamed"
	OpRemoved  Op = "removed"
	OpRestored Op = "restored"
	// OpPurged is the end of a tombstone. Whatever comes under the same uuid later is another object.
	OpPurged Op = "purged"
)

// kindTables lists the tables of the kinds that come in bulk. A new kind is one row type, one migration and one entry
// here.
func kindTables() []kindTable {
	return []kindTable{
		{kind: KindVM, name: "virtual_machines", zero: func() Row { return new(VM) }, copies: map[string]string{
			"pnode": "primary_node", "snodes": "secondary_nodes", "oper_ram": "oper_memory_mib",
		}},
		// A node's single answer has secondary_ip, the bulk answer does not. spfree is dfree, of the pool.
		{
			kind: KindNode, name: "nodes", zero: func() Row { return new(Node) },
			derived: []string{"pinst_list", "sinst_list", "secondary_ip", "spfree"},
			copies: map[string]string{
				"group.uuid": "group_uuid", "pip": "primary_ip", "sip": "secondary_ip", "mtotal": "memory_total_mib", "mfree": "memory_free_mib",
				"mnode": "memory_node_mib", "dtotal": "disk_total_mib", "dfree": "disk_free_mib", "ctotal": "cpus", "csockets": "cpu_sockets",
				"cnodes": "cpu_nodes", "cnos": "cpus_reserved", "pinst_cnt": "primary_instances", "sinst_cnt": "secondary_instances",
			},
		},
		{
			kind: KindGroup, name: "node_groups", zero: func() Row { return new(Group) }, derived: []string{"node_list"},
			copies: map[string]string{"node_cnt": "node_count"},
		},
		{kind: KindNetwork, name: "networks", zero: func() Row { return new(Network) }, derived: []string{"inst_list", "map"}},
		{kind: KindJob, name: "jobs", zero: func() Row { return new(Job) }},
	}
}

// Kinds returns every kind that has objects of its own, in the order they are shown; KindCluster is not among them.
func Kinds() []Kind {
	var kinds []Kind
	for _, t := range kindTables() {
		kinds = append(kinds, t.kind)
	}
	return kinds
}
