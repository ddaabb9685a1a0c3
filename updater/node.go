package updater

import (
	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/netaddr"
)

// nodeRow maps an item of /2/nodes?bulk=1 to its row.
func nodeRow(raw []byte) (db.Row, error) {
	n, err := ganeti.DecodeNode(raw)
	if err != nil {
		return nil, err
	}
	return &db.Node{
		Object:             db.Object{UUID: n.UUID, Name: n.Name},
		Role:               n.Role,
		Offline:            n.Offline,
		Drained:            n.Drained,
		MasterCandidate:    n.MasterCandidate,
		MasterCapable:      n.MasterCapable,
		VMCapable:          n.VMCapable,
		GroupUUID:          n.GroupUUID,
		PrimaryIP:          canonicalText(netaddr.IP, n.PrimaryIP),
		SecondaryIP:        canonicalText(netaddr.IP, n.SecondaryIP),
		MemoryTotalMiB:     n.MemoryTotalMiB,
		MemoryFreeMiB:      n.MemoryFreeMiB,
		MemoryNodeMiB:      n.MemoryNodeMiB,
		DiskTotalMiB:       n.DiskTotalMiB,
		DiskFreeMiB:        n.DiskFreeMiB,
		CPUs:               n.CPUs,
		CPUSockets:         n.CPUSockets,
		CPUNodes:           n.CPUNodes,
		CPUsReserved:       n.CPUsReserved,
		PrimaryInstances:   n.PrimaryInstances,
		SecondaryInstances: n.SecondaryInstances,
		Tags:               n.Tags,
		SerialNo:           n.SerialNo,
		CTime:              n.CTime,
		MTime:              n.MTime,
	}, nil
}
