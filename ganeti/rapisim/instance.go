package rapisim

import "slices"

// Instance is what a cluster knows of one instance, as RAPI would tell it.
type Instance struct {
	UUID, Name string
	// Status is Ganeti's summary: running, ADMIN_down, ERROR_nodedown …
	Status string
	// AdminState is up, down or offline.
	AdminState string
	// OperState tells whether the instance runs; nil when its node is silent.
	OperState *bool
	PNode     string
	SNodes    []string
	OS        string
	// DiskTemplate is diskless, file, sharedfile, plain or drbd.
	DiskTemplate string
	// KVM tells a KVM guest from an instance of the fake hypervisor.
	KVM              bool
	VCPUs, MemoryMiB int
	DiskSizesMiB     []int
	NICs             []NIC
	// NetworkPort is 0 where RAPI says null.
	NetworkPort int
	Tags        []string
	SerialNo    int
	// CTime and MTime are seconds since 1970, as sent.
	CTime, MTime float64
}

// NIC is one network interface; IP, Name and Network are empty where RAPI
// says null.
type NIC struct {
	UUID, MAC, IP, Name, Mode, Link, Network string
}

// runtime is what an instance really does, where that differs from what its
// admin state asks for.
type runtime uint8

const (
	asAsked   runtime = iota
	dead              // should run, does not: ERROR_down
	stray             // should not run, does: ERROR_up
	misplaced         // runs on another node: ERROR_wrongnode
	userDown          // shut down from inside: USER_down
)

type instance struct {
	uuid, name   string
	admin        string
	os, template string
	node         *node
	second       *node // nil without DRBD
	nics         []nic
	disks        []disk
	port         int
	guest        *guest // hypervisor parameters, shared
	be           beparams
	ram, vcpus   int // what the running instance was started with
	runtime      runtime
	ctime, mtime float64
	serial       int
	tags         []string
	text         []byte // its item as sent; nil: to be rendered
	edit         Edit   // see Cluster.Corrupt
	slot         int    // its place in Cluster.all
}

type nic struct {
	uuid, mac, ip, name, mode, link string
	network                         *network
	params                          string // custom_nicparams, JSON
}

type disk struct {
	uuid, name string
	mib        int
}

type beparams struct {
	minmem, maxmem, vcpus, spindles int
	noBalance, alwaysFailover       bool
}

func (v *instance) status() string {
	switch {
	case v.node.offline:
		return "ERROR_nodeoffline"
	case v.node.down:
		return "ERROR_nodedown"
	case v.runtime == dead:
		return "ERROR_down"
	case v.runtime == stray:
		return "ERROR_up"
	case v.runtime == misplaced:
		return "ERROR_wrongnode"
	case v.runtime == userDown:
		return "USER_down"
	case v.admin == "up":
		return "running"
	default:
		return "ADMIN_" + v.admin
	}
}

// silent tells that nobody can say whether the instance runs.
func (v *instance) silent() bool { return v.node.offline || v.node.down }

// runs tells whether Ganeti would see the instance; one that its user shut
// down still counts, as a process without memory.
func (v *instance) runs() bool {
	return !v.silent() && v.runtime != dead && (v.admin == "up" || v.runtime == stray)
}

// usedMiB is the memory the instance takes of its node.
func (v *instance) usedMiB() int {
	if !v.runs() || v.runtime == userDown {
		return 0
	}
	return v.ram
}

func (v *instance) append(b []byte) []byte {
	w := writer(b)
	start := len(w)
	w.open('{')
	v.writeConfig(&w)
	v.writeRuntime(&w)
	w.close('}')
	return edited(w, start, v.edit)
}

func (v *instance) writeConfig(w *writer) {
	w.key("name")
	w.string(v.name)
	w.key("admin_state")
	w.string(v.admin)
	w.key("os")
	w.string(v.os)
	w.key("pnode")
	w.string(v.node.name)
	w.key("snodes")
	w.strings(v.snodes())
	w.key("disk_template")
	w.string(v.template)
	v.writeNICs(w)
	w.key("network_port")
	w.intOrNull(v.port, v.port != 0)
	v.writeDisks(w)
	w.key("beparams")
	v.be.write(w)
	w.key("hvparams")
	w.raw(v.guest.params)
}

func (v *instance) snodes() []string {
	if v.second == nil {
		return nil
	}
	return []string{v.second.name}
}

func (v *instance) writeRuntime(w *writer) {
	runs, ram, vcpus := v.runs(), v.ram, v.vcpus
	if v.runtime == userDown {
		ram, vcpus = 0, 0
	}
	w.key("oper_state")
	if v.silent() {
		w.null()
	} else {
		w.bool(runs)
	}
	w.key("oper_ram")
	w.intOrNull(ram, runs)
	w.key("oper_vcpus")
	w.intOrNull(vcpus, runs)
	w.key("status")
	w.string(v.status())
	w.key("custom_hvparams")
	w.raw(v.guest.custom)
	w.key("custom_beparams")
	v.be.writeCustom(w)
	w.key("custom_nicparams")
	writeList(w, v.nics, func(n nic) { w.raw(n.params) })
	w.key("ctime")
	w.float(v.ctime)
	w.key("mtime")
	w.float(v.mtime)
	w.key("uuid")
	w.string(v.uuid)
	w.key("serial_no")
	w.int(v.serial)
	w.key("tags")
	w.strings(v.tags)
}

func (v *instance) writeNICs(w *writer) {
	list := func(key string, write func(nic)) {
		w.key(key)
		writeList(w, v.nics, write)
	}
	list("nic.ips", func(n nic) { w.stringOrNull(n.ip) })
	list("nic.macs", func(n nic) { w.string(n.mac) })
	list("nic.modes", func(n nic) { w.string(n.mode) })
	list("nic.uuids", func(n nic) { w.string(n.uuid) })
	list("nic.names", func(n nic) { w.stringOrNull(n.name) })
	list("nic.links", func(n nic) { w.string(n.link) })
	list("nic.networks", func(n nic) { w.stringOrNull(n.network.idOrEmpty()) })
	list("nic.networks.names", func(n nic) { w.stringOrNull(n.network.nameOrEmpty()) })
	list("nic.bridges", func(n nic) {
		if n.mode == "routed" {
			w.null()
			return
		}
		w.string(n.link)
	})
}

func (v *instance) writeDisks(w *writer) {
	usage := 0
	w.key("disk.sizes")
	writeList(w, v.disks, func(d disk) { w.int(d.mib); usage += d.mib })
	w.key("disk.spindles")
	writeList(w, v.disks, func(disk) { w.null() })
	w.key("disk_usage")
	if v.template == "drbd" {
		usage += 128 * len(v.disks) // DRBD's metadata
	}
	w.int(usage)
	w.key("disk.uuids")
	writeList(w, v.disks, func(d disk) { w.string(d.uuid) })
	w.key("disk.names")
	writeList(w, v.disks, func(d disk) { w.stringOrNull(d.name) })
}

func (p beparams) write(w *writer) {
	w.open('{')
	p.writeSizes(w)
	w.key("auto_balance")
	w.bool(!p.noBalance)
	w.key("always_failover")
	w.bool(p.alwaysFailover)
	w.key("spindle_use")
	w.int(max(p.spindles, 1))
	w.key("memory") // what RAPI adds for clients of Ganeti before 2.6
	w.int(p.maxmem)
	w.close('}')
}

// writeCustom writes the parameters that differ from the cluster's.
func (p beparams) writeCustom(w *writer) {
	w.open('{')
	p.writeSizes(w)
	if p.noBalance {
		w.key("auto_balance")
		w.bool(false)
	}
	if p.alwaysFailover {
		w.key("always_failover")
		w.bool(true)
	}
	if p.spindles > 1 {
		w.key("spindle_use")
		w.int(p.spindles)
	}
	w.close('}')
}

func (p beparams) writeSizes(w *writer) {
	w.key("minmem")
	w.int(p.minmem)
	w.key("maxmem")
	w.int(p.maxmem)
	w.key("vcpus")
	w.int(p.vcpus)
}

// export copies v for callers.
func (v *instance) export() Instance {
	out := Instance{
		UUID: v.uuid, Name: v.name, Status: v.status(), AdminState: v.admin,
		PNode: v.node.name, SNodes: v.snodes(), OS: v.os, DiskTemplate: v.template,
		KVM: v.guest.kvm, VCPUs: v.be.vcpus, MemoryMiB: v.be.maxmem, NetworkPort: v.port,
		Tags: slices.Clone(v.tags), SerialNo: v.serial, CTime: v.ctime, MTime: v.mtime,
	}
	if !v.silent() {
		runs := v.runs()
		out.OperState = &runs
	}
	for _, d := range v.disks {
		out.DiskSizesMiB = append(out.DiskSizesMiB, d.mib)
	}
	for _, n := range v.nics {
		out.NICs = append(out.NICs, NIC{
			UUID: n.uuid, MAC: n.mac, IP: n.ip, Name: n.name,
			Mode: n.mode, Link: n.link, Network: n.network.nameOrEmpty(),
		})
	}
	return out
}
