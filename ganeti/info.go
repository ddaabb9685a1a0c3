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
	Name              cutText  `json:"name"`
	SoftwareVersion   cutText  `json:"software_version"`
	Master            cutText  `json:"master"`
	DefaultHypervisor cutText  `json:"default_hypervisor"`
	Hypervisors       cutTexts `json:"enabled_hypervisors"`
	Tags              cutTexts `json:"tags"`
	CTime             moment   `json:"ctime"`
	MTime             moment   `json:"mtime"`
}

// DecodeInfo reads the answer of /2/info. It fails only for one that is no
// JSON object or whose uuid is not a proper string: without its info a cluster
// is not refreshed at all, so that a text which is too long for a column is cut,
// and a list that is too long ends early.
func DecodeInfo(raw []byte) (Info, error) {
	w, err := decode[infoWire](raw)
	if err != nil {
		return Info{}, err
	}
	if err := w.UUID.check("uuid", maxUUID); err != nil {
		return Info{}, err
	}
	return Info{
		UUID:              w.UUID.text,
		Name:              string(w.Name),
		SoftwareVersion:   string(w.SoftwareVersion),
		Master:            string(w.Master),
		DefaultHypervisor: string(w.DefaultHypervisor),
		Hypervisors:       w.Hypervisors,
		Tags:              w.Tags,
		CTime:             w.CTime.pointer(),
		MTime:             w.MTime.pointer(),
	}, nil
}
