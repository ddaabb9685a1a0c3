package db

import "time"

// Node is a row of nodes. Sizes are MiB and nil while the node is offline or does not answer. The free sizes and the
// counts of instances are volatile: they follow every VM that moves, which the VM's own change records.
type Node struct {
	Object
	// Role is M (master), C (candidate), R (regular), D (drained) or O (offline).
	Role            string `db:"role" json:"role"`
	Offline         *bool  `db:"offline" json:"offline"`
	Drained         *bool  `db:"drained" json:"drained"`
	MasterCandidate *bool  `db:"master_candidate" json:"master_candidate"`
	MasterCapable   *bool  `db:"master_capable" json:"master_capable"`
	VMCapable       *bool  `db:"vm_capable" json:"vm_capable"`
	GroupUUID       string `db:"group_uuid" json:"group_uuid"`
	PrimaryIP       string `db:"primary_ip" json:"primary_ip"`
	SecondaryIP     string `db:"secondary_ip" json:"secondary_ip"`
	MemoryTotalMiB  *int64 `db:"memory_total_mib" json:"memory_total_mib"`
	MemoryFreeMiB   *int64 `db:"memory_free_mib,volatile" json:"memory_free_mib"`
	// MemoryNodeMiB is what the node itself uses.
	MemoryNodeMiB *int64 `db:"memory_node_mib,volatile" json:"memory_node_mib"`
	DiskTotalMiB  *int64 `db:"disk_total_mib" json:"disk_total_mib"`
	DiskFreeMiB   *int64 `db:"disk_free_mib,volatile" json:"disk_free_mib"`
	CPUs          *int64 `db:"cpus" json:"cpus"`
	CPUSockets    *int64 `db:"cpu_sockets" json:"cpu_sockets"`
	CPUNodes      *int64 `db:"cpu_nodes" json:"cpu_nodes"`
	// CPUsReserved are kept for the node itself.
	CPUsReserved       *int64     `db:"cpus_reserved" json:"cpus_reserved"`
	PrimaryInstances   *int64     `db:"primary_instances,volatile" json:"primary_instances"`
	SecondaryInstances *int64     `db:"secondary_instances,volatile" json:"secondary_instances"`
	Tags               List       `db:"tags,set" json:"tags"`
	SerialNo           *int64     `db:"serial_no" json:"serial_no"`
	CTime              *time.Time `db:"ctime" json:"ctime"`
	MTime              *time.Time `db:"mtime" json:"mtime"`
}
