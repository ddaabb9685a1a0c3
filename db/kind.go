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
)

// kindTables lists the tables of the kinds that come in bulk. A new kind is one row type, one migration and one entry
// here.
func kindTables() []kindTable {
	return []kindTable{
		{kind: KindVM, name: "virtual_machines", zero: func() Row { return new(VM) }},
		// A node's single answer has secondary_ip, the bulk answer does not.
		{kind: KindNode, name: "nodes", zero: func() Row { return new(Node) }, derived: []string{"pinst_list", "sinst_list", "secondary_ip"}},
		{kind: KindGroup, name: "node_groups", zero: func() Row { return new(Group) }, derived: []string{"node_list"}},
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
