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
		DiskMiB:        sum(i.DiskSizes),
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

// sum adds sizes in MiB; nil, which stands for an answer without sizes, stays unknown rather than 0.
func sum(sizes []int64) *int64 {
	if sizes == nil {
		return nil
	}
	var total int64
	for _, s := range sizes {
		total += s
	}
	return &total
}
