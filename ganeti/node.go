package ganeti

import "time"

// Node is an item of /2/nodes?bulk=1. Pointers are nil where Ganeti says null,
// as it does for everything measured on a node that is down or offline; sizes
// are in MiB.
type Node struct {
	UUID, Name string
	// Role is M(aster), C(andidate), R(egular), D(rained) or O(ffline).
	Role                                                        string
	Offline, Drained, MasterCandidate, MasterCapable, VMCapable *bool
	GroupUUID                                                   string
	PrimaryIP, SecondaryIP                                      string
	// MemoryNodeMiB is what the node itself uses (mnode).
	MemoryTotalMiB, MemoryFreeMiB, MemoryNodeMiB *int64
	DiskTotalMiB, DiskFreeMiB                    *int64
	// CPUs is ctotal, CPUsReserved those of the node itself (cnos), CPUNodes
	// its NUMA nodes.
	CPUs, CPUSockets, CPUNodes, CPUsReserved *int64
	// PrimaryInstances and SecondaryInstances count the instances.
	PrimaryInstances, SecondaryInstances *int64
	Tags                                 []string
	SerialNo                             *int64
	CTime, MTime                         *time.Time
}

type nodeWire struct {
	UUID               identity `json:"uuid"`
	Name               identity `json:"name"`
	Role               text     `json:"role"`
	Offline            boolean  `json:"offline"`
	Drained            boolean  `json:"drained"`
	MasterCandidate    boolean  `json:"master_candidate"`
	MasterCapable      boolean  `json:"master_capable"`
	VMCapable          boolean  `json:"vm_capable"`
	GroupUUID          text     `json:"group.uuid"`
	PrimaryIP          text     `json:"pip"`
	SecondaryIP        text     `json:"sip"`
	MemoryTotal        integer  `json:"mtotal"`
	MemoryFree         integer  `json:"mfree"`
	MemoryNode         integer  `json:"mnode"`
	DiskTotal          integer  `json:"dtotal"`
	DiskFree           integer  `json:"dfree"`
	CPUs               integer  `json:"ctotal"`
	CPUSockets         integer  `json:"csockets"`
	CPUNodes           integer  `json:"cnodes"`
	CPUsReserved       integer  `json:"cnos"`
	PrimaryInstances   integer  `json:"pinst_cnt"`
	SecondaryInstances integer  `json:"sinst_cnt"`
	Tags               texts    `json:"tags"`
	SerialNo           integer  `json:"serial_no"`
	CTime              moment   `json:"ctime"`
	MTime              moment   `json:"mtime"`
}

// DecodeNode reads an item of /2/nodes?bulk=1; see [DecodeInstance] for when
// it fails.
func DecodeNode(raw []byte) (Node, error) {
	w, err := decode[nodeWire](raw)
	if err != nil {
		return Node{}, err
	}
	if err := checkIdentity(&w.UUID, &w.Name); err != nil {
		return Node{}, err
	}
	return Node{
		UUID:               w.UUID.text,
		Name:               w.Name.text,
		Role:               string(w.Role),
		Offline:            w.Offline.pointer(),
		Drained:            w.Drained.pointer(),
		MasterCandidate:    w.MasterCandidate.pointer(),
		MasterCapable:      w.MasterCapable.pointer(),
		VMCapable:          w.VMCapable.pointer(),
		GroupUUID:          string(w.GroupUUID),
		PrimaryIP:          string(w.PrimaryIP),
		SecondaryIP:        string(w.SecondaryIP),
		MemoryTotalMiB:     w.MemoryTotal.amount(),
		MemoryFreeMiB:      w.MemoryFree.amount(),
		MemoryNodeMiB:      w.MemoryNode.amount(),
		DiskTotalMiB:       w.DiskTotal.amount(),
		DiskFreeMiB:        w.DiskFree.amount(),
		CPUs:               w.CPUs.amount(),
		CPUSockets:         w.CPUSockets.amount(),
		CPUNodes:           w.CPUNodes.amount(),
		CPUsReserved:       w.CPUsReserved.amount(),
		PrimaryInstances:   w.PrimaryInstances.amount(),
		SecondaryInstances: w.SecondaryInstances.amount(),
		Tags:               w.Tags,
		SerialNo:           w.SerialNo.pointer(),
		CTime:              w.CTime.pointer(),
		MTime:              w.MTime.pointer(),
	}, nil
}
