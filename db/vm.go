package db

import "time"

// VM is a row of virtual_machines. Nil pointers are unknown or absent values (NULL). Sizes are MiB.
type VM struct {
	Object
	// Status is Ganeti's status as sent (running, ADMIN_down, ERROR_nodedown, …); unknown words are kept.
	Status     string `db:"status" json:"status"`
	AdminState string `db:"admin_state" json:"admin_state"`
	// OperState is nil when the node did not answer.
	OperState      *bool  `db:"oper_state" json:"oper_state"`
	PrimaryNode    string `db:"primary_node" json:"primary_node"`
	SecondaryNodes List   `db:"secondary_nodes" json:"secondary_nodes"`
	OS             string `db:"os" json:"os"`
	DiskTemplate   string `db:"disk_template" json:"disk_template"`
	VCPUs          *int64 `db:"vcpus" json:"vcpus"`
	// MemoryMiB is the configured maximum, OperMemoryMiB what the hypervisor reports.
	MemoryMiB     *int64 `db:"memory_mib" json:"memory_mib"`
	OperMemoryMiB *int64 `db:"oper_memory_mib" json:"oper_memory_mib"`
	// DiskMiB is the sum of the disks' sizes.
	DiskMiB *int64 `db:"disk_mib" json:"disk_mib"`
	// NICIPs and the other NIC lists have one element per NIC, "" where the NIC has none.
	NICIPs      List       `db:"nic_ips" json:"nic_ips"`
	NICMACs     List       `db:"nic_macs" json:"nic_macs"`
	NICLinks    List       `db:"nic_links" json:"nic_links"`
	NICNetworks List       `db:"nic_networks" json:"nic_networks"`
	NetworkPort *int64     `db:"network_port" json:"network_port"`
	Tags        List       `db:"tags,set" json:"tags"`
	SerialNo    *int64     `db:"serial_no" json:"serial_no"`
	CTime       *time.Time `db:"ctime" json:"ctime"`
	MTime       *time.Time `db:"mtime" json:"mtime"`
}
