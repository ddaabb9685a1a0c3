package ganeti

import (
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Instance is a virtual machine, an item of /2/instances?bulk=1. Pointers are
// nil and texts empty where Ganeti says null, nothing, or nothing that makes
// sense; sizes are in MiB.
type Instance struct {
	UUID, Name string
	// Status is Ganeti's word for the run-time state: running, ADMIN_down,
	// ERROR_nodedown and so on; unknown words come as they are.
	Status string
	// AdminState is up, down or offline. Before Ganeti 2.6 it was a boolean,
	// which reads as up or down.
	AdminState string
	// OperState says whether the hypervisor runs it; nil when no node answered.
	OperState *bool
	// PNode is the configured primary node, SNodes the secondary ones.
	PNode            string
	SNodes           []string
	OS, DiskTemplate string
	VCPUs            *int64
	// MemoryMiB is beparams' maxmem, or memory before Ganeti 2.6.
	MemoryMiB *int64
	// OperRAM and OperVCPUs are what the hypervisor gives it just now.
	OperRAM, OperVCPUs *int64
	// DiskSizes has one element per disk; 0 for an unreadable one.
	DiskSizes []int64
	// DiskMiB is the sum of DiskSizes, nil unless all of them are known.
	DiskMiB *int64
	// The NIC lists have one element per NIC, "" for null.
	NICIPs, NICMACs, NICLinks, NICModes, NICBridges []string
	NICNetworkNames, NICNetworks                    []string
	// NetworkPort is the console's port.
	NetworkPort *int64
	Tags        []string
	SerialNo    *int64
	// CTime and MTime are UTC to the microsecond. MTime is no change token: a
	// live migration and every change of Status leave it alone.
	CTime, MTime *time.Time
}

type instanceWire struct {
	UUID            identity   `json:"uuid"`
	Name            identity   `json:"name"`
	Status          text       `json:"status"`
	AdminState      adminState `json:"admin_state"`
	OperState       boolean    `json:"oper_state"`
	PNode           text       `json:"pnode"`
	SNodes          texts      `json:"snodes"`
	OS              text       `json:"os"`
	DiskTemplate    text       `json:"disk_template"`
	BEParams        beparams   `json:"beparams"`
	OperRAM         integer    `json:"oper_ram"`
	OperVCPUs       integer    `json:"oper_vcpus"`
	DiskSizes       integers   `json:"disk.sizes"`
	NICIPs          texts      `json:"nic.ips"`
	NICMACs         texts      `json:"nic.macs"`
	NICLinks        texts      `json:"nic.links"`
	NICModes        texts      `json:"nic.modes"`
	NICBridges      texts      `json:"nic.bridges"`
	NICNetworkNames texts      `json:"nic.networks.names"`
	NICNetworks     texts      `json:"nic.networks"`
	NetworkPort     integer    `json:"network_port"`
	Tags            texts      `json:"tags"`
	SerialNo        integer    `json:"serial_no"`
	Forthcoming     boolean    `json:"forthcoming"`
	CTime           moment     `json:"ctime"`
	MTime           moment     `json:"mtime"`
}

// adminState is a text; the boolean of old versions reads as up or down.
type adminState string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (s *adminState) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	kind := dec.PeekKind()
	if err := (*text)(s).UnmarshalJSONFrom(dec); err != nil {
		return err
	}
	switch kind {
	case 't':
		*s = "up"
	case 'f':
		*s = "down"
	default:
	}
	return nil
}

// beparams are the backend parameters; anything but an object reads as empty.
type beparams struct{ MaxMem, Memory, VCPUs integer }

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (p *beparams) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*p = beparams{}
	if dec.PeekKind() != '{' {
		return dec.SkipValue()
	}
	var wire struct {
		MaxMem integer `json:"maxmem"`
		Memory integer `json:"memory"`
		VCPUs  integer `json:"vcpus"`
	}
	err := json.UnmarshalDecode(dec, &wire)
	*p = beparams(wire)
	return err
}

// DecodeInstance reads an item of /2/instances?bulk=1. It fails only for an
// item that is not a JSON object, whose uuid or name is not a proper string,
// or that holds a text or a list too long for a column; the error names the field.
// One that is only reserved (forthcoming) may have no name yet; its name is "".
func DecodeInstance(raw []byte) (Instance, error) {
	w, err := decode[instanceWire](raw)
	if err != nil {
		return Instance{}, err
	}
	if reserved := w.Forthcoming.pointer(); reserved != nil && *reserved && w.Name.none() {
		w.Name.found = ""
		if err := w.UUID.check("uuid", maxUUID); err != nil {
			return Instance{}, err
		}
	} else if err := checkIdentity(&w.UUID, &w.Name); err != nil {
		return Instance{}, err
	}
	memory := w.BEParams.MaxMem
	if !memory.known {
		memory = w.BEParams.Memory
	}
	return Instance{
		UUID:            w.UUID.text,
		Name:            w.Name.text,
		Status:          string(w.Status),
		AdminState:      string(w.AdminState),
		OperState:       w.OperState.pointer(),
		PNode:           string(w.PNode),
		SNodes:          w.SNodes,
		OS:              string(w.OS),
		DiskTemplate:    string(w.DiskTemplate),
		VCPUs:           w.BEParams.VCPUs.amount(),
		MemoryMiB:       memory.amount(),
		OperRAM:         w.OperRAM.amount(),
		OperVCPUs:       w.OperVCPUs.amount(),
		DiskSizes:       w.DiskSizes.values,
		DiskMiB:         w.DiskSizes.sum(),
		NICIPs:          w.NICIPs,
		NICMACs:         w.NICMACs,
		NICLinks:        w.NICLinks,
		NICModes:        w.NICModes,
		NICBridges:      w.NICBridges,
		NICNetworkNames: networkNames(w.NICNetworkNames, w.NICNetworks),
		NICNetworks:     w.NICNetworks,
		NetworkPort:     w.NetworkPort.pointer(),
		Tags:            w.Tags,
		SerialNo:        w.SerialNo.pointer(),
		CTime:           w.CTime.pointer(),
		MTime:           w.MTime.pointer(),
	}, nil
}

// networkNames falls back on what the first versions with networks sent alone: then that is what people know them by.
func networkNames(names, networks []string) []string {
	if len(names) == 0 {
		return networks
	}
	return names
}
