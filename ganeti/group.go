package ganeti

import "time"

// Group is a node group, an item of /2/groups?bulk=1.
type Group struct {
	UUID, Name string
	// AllocPolicy is preferred, last_resort or unallocable.
	AllocPolicy string
	NodeCount   *int64
	// Nodes are the names of the group's nodes, in Ganeti's order.
	Nodes    []string
	Tags     []string
	SerialNo *int64
	// CTime is 1970 for the group a cluster is born with: Ganeti sends 0.
	CTime, MTime *time.Time
}

type groupWire struct {
	UUID        identity `json:"uuid"`
	Name        identity `json:"name"`
	AllocPolicy text     `json:"alloc_policy"`
	NodeCount   integer  `json:"node_cnt"`
	Nodes       texts    `json:"node_list"`
	Tags        texts    `json:"tags"`
	SerialNo    integer  `json:"serial_no"`
	CTime       moment   `json:"ctime"`
	MTime       moment   `json:"mtime"`
}

// DecodeGroup reads an item of /2/groups?bulk=1; see [DecodeInstance] for when
// it fails.
func DecodeGroup(raw []byte) (Group, error) {
	w, err := decode[groupWire](raw)
	if err != nil {
		return Group{}, err
	}
	if err := checkIdentity(&w.UUID, &w.Name); err != nil {
		return Group{}, err
	}
	return Group{
		UUID:        w.UUID.text,
		Name:        w.Name.text,
		AllocPolicy: string(w.AllocPolicy),
		NodeCount:   w.NodeCount.amount(),
		Nodes:       w.Nodes,
		Tags:        w.Tags,
		SerialNo:    w.SerialNo.pointer(),
		CTime:       w.CTime.pointer(),
		MTime:       w.MTime.pointer(),
	}, nil
}
