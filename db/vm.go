package db

import "time"

// VM is a row of virtual_machines. Nil pointers are unknown or absent values (NULL). Sizes are MiB.
type VM struct {
	Object
	// Status is Ganeti's status as sent (running, ADMIN_down, ERROR_nodedown, …); unknown words are kept.
	Status     string `db:"status"`
	AdminState string `db:"admin_state"`
	// OperState is nil when the node did not answer.
	OperState      *bool  `db:"oper_state"`
	PrimaryNode    string `db:"primary_node"`
	SecondaryNodes List   `db:"secondary_nodes"`
	OS             string `db:"os"`
	DiskTemplate   string `db:"disk_template"`
	VCPUs          *int64 `db:"vcpus"`
	// MemoryMiB is the configured maximum, OperMemoryMiB what the hypervisor reports.
	MemoryMiB     *int64 `db:"memory_mib"`
	OperMemoryMiB *int64 `db:"oper_memory_mib"`
	// DiskMiB is the sum of the disks' sizes.
	DiskMiB *int64 `db:"disk_mib"`
	// NICIPs and the other NIC lists have one element per NIC, "" where the NIC has none.
	NICIPs      List       `db:"nic_ips"`
	NICMACs     List       `db:"nic_macs"`
	NICLinks    List       `db:"nic_links"`
	NICNetworks List       `db:"nic_networks"`
	NetworkPort *int64     `db:"network_port"`
	Tags        List       `db:"tags"`
	SerialNo    *int64     `db:"serial_no"`
	CTime       *time.Time `db:"ctime"`
	MTime       *time.Time `db:"mtime"`
}
