package ganeti

import "time"

// Info is what /2/info says about the cluster itself.
type Info struct {
	// UUID tells one cluster from another behind the same address.
	UUID, Name string
	// SoftwareVersion is Ganeti's version, such as 3.0.2.
	SoftwareVersion string
	// Master is the name of the master node; it changes in a failover.
	Master            string
	DefaultHypervisor string
	Hypervisors       []string
	Tags              []string
	CTime, MTime      *time.Time
}

type infoWire struct {
	UUID              identity `json:"uuid"`
	Name              identity `json:"name"`
	SoftwareVersion   text     `json:"software_version"`
	Master            text     `json:"master"`
	DefaultHypervisor text     `json:"default_hypervisor"`
	Hypervisors       texts    `json:"enabled_hypervisors"`
	Tags              texts    `json:"tags"`
	CTime             moment   `json:"ctime"`
	MTime             moment   `json:"mtime"`
}

// DecodeInfo reads the answer of /2/info; see [DecodeInstance] for when it
// fails.
func DecodeInfo(raw []byte) (Info, error) {
	w, err := decode[infoWire](raw)
	if err != nil {
		return Info{}, err
	}
	if err := checkIdentity(&w.UUID, &w.Name); err != nil {
		return Info{}, err
	}
	return Info{
		UUID:              w.UUID.text,
		Name:              w.Name.text,
		SoftwareVersion:   string(w.SoftwareVersion),
		Master:            string(w.Master),
		DefaultHypervisor: string(w.DefaultHypervisor),
		Hypervisors:       w.Hypervisors,
		Tags:              w.Tags,
		CTime:             w.CTime.pointer(),
		MTime:             w.MTime.pointer(),
	}, nil
}
