package updater

import (
	"ganeticache/db"
	"ganeticache/ganeti"
)

// vmRow maps an item of /2/instances?bulk=1 to its row.
func vmRow(raw []byte) (db.Row, error) {
	i, err := ganeti.DecodeInstance(raw)
	if err != nil {
		return nil, err
	}
	return &db.VM{
		Object:         db.Object{UUID: i.UUID, Name: i.Name},
		Status:         i.Status,
		AdminState:     i.AdminState,
		OperState:      i.OperState,
		PrimaryNode:    i.PNode,
		SecondaryNodes: i.SNodes,
		OS:             i.OS,
		DiskTemplate:   i.DiskTemplate,
		VCPUs:          i.VCPUs,
		MemoryMiB:      i.MemoryMiB,
		OperMemoryMiB:  i.OperRAM,
		DiskMiB:        i.DiskMiB,
		NICIPs:         i.NICIPs,
		NICMACs:        i.NICMACs,
		NICLinks:       i.NICLinks,
		NICNetworks:    i.NICNetworkNames,
		NetworkPort:    i.NetworkPort,
		Tags:           i.Tags,
		SerialNo:       i.SerialNo,
		CTime:          i.CTime,
		MTime:          i.MTime,
	}, nil
}
