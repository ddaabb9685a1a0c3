package db

import "time"

// Node is a row of nodes. Sizes are MiB and nil while the node is offline or does not answer. The free sizes and the
// counts of instances are volatile: they follow every VM that moves, which the VM's own change records.
type Node struct {
	Object
	// Role is M (master), C (candidate), R (regular), D (drained) or O (offline).
	Role            string `db:"role"`
	Offline         *bool  `db:"offline"`
	Drained         *bool  `db:"drained"`
	MasterCandidate *bool  `db:"master_candidate"`
	MasterCapable   *bool  `db:"master_capable"`
	VMCapable       *bool  `db:"vm_capable"`
	GroupUUID       string `db:"group_uuid"`
	PrimaryIP       string `db:"primary_ip"`
	SecondaryIP     string `db:"secondary_ip"`
	MemoryTotalMiB  *int64 `db:"memory_total_mib"`
	MemoryFreeMiB   *int64 `db:"memory_free_mib,volatile"`
	// MemoryNodeMiB is what the node itself uses.
	MemoryNodeMiB *int64 `db:"memory_node_mib,volatile"`
	DiskTotalMiB  *int64 `db:"disk_total_mib"`
	DiskFreeMiB   *int64 `db:"disk_free_mib,volatile"`
	CPUs          *int64 `db:"cpus"`
	CPUSockets    *int64 `db:"cpu_sockets"`
	CPUNodes      *int64 `db:"cpu_nodes"`
	// CPUsReserved are kept for the node itself.
	CPUsReserved       *int64     `db:"cpus_reserved"`
	PrimaryInstances   *int64     `db:"primary_instances,volatile"`
	SecondaryInstances *int64     `db:"secondary_instances,volatile"`
	Tags               List       `db:"tags"`
	SerialNo           *int64     `db:"serial_no"`
	CTime              *time.Time `db:"ctime"`
	MTime              *time.Time `db:"mtime"`
}
