package ganeti

import "time"

// Network is an item of /2/networks?bulk=1 (Ganeti 2.7 and later).
type Network struct {
	UUID, Name string
	// Network and Network6 are in CIDR notation; Gateway, Gateway6 and
	// MACPrefix are empty where none is set.
	Network, Gateway, Network6, Gateway6, MACPrefix string
	// FreeCount and ReservedCount count IPv4 addresses.
	FreeCount, ReservedCount *int64
	Tags                     []string
	SerialNo                 *int64
	CTime, MTime             *time.Time
}

type networkWire struct {
	UUID          identity `json:"uuid"`
	Name          identity `json:"name"`
	Network       text     `json:"network"`
	Gateway       text     `json:"gateway"`
	Network6      text     `json:"network6"`
	Gateway6      text     `json:"gateway6"`
	MACPrefix     text     `json:"mac_prefix"`
	FreeCount     integer  `json:"free_count"`
	ReservedCount integer  `json:"reserved_count"`
	Tags          texts    `json:"tags"`
	SerialNo      integer  `json:"serial_no"`
	CTime         moment   `json:"ctime"`
	MTime         moment   `json:"mtime"`
}

// DecodeNetwork reads an item of /2/networks?bulk=1; see [DecodeInstance] for
// when it fails.
func DecodeNetwork(raw []byte) (Network, error) {
	w, err := decode[networkWire](raw)
	if err != nil {
		return Network{}, err
	}
	if err := checkIdentity(&w.UUID, &w.Name); err != nil {
		return Network{}, err
	}
	return Network{
		UUID:          w.UUID.text,
		Name:          w.Name.text,
		Network:       string(w.Network),
		Gateway:       string(w.Gateway),
		Network6:      string(w.Network6),
		Gateway6:      string(w.Gateway6),
		MACPrefix:     string(w.MACPrefix),
		FreeCount:     w.FreeCount.amount(),
		ReservedCount: w.ReservedCount.amount(),
		Tags:          w.Tags,
		SerialNo:      w.SerialNo.pointer(),
		CTime:         w.CTime.pointer(),
		MTime:         w.MTime.pointer(),
	}, nil
}
