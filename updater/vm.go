package updater

import (
	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/netaddr"
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
		NICIPs:         canonical(netaddr.IP, i.NICIPs),
		NICMACs:        canonical(netaddr.MAC, i.NICMACs),
		NICLinks:       i.NICLinks,
		NICNetworks:    i.NICNetworkNames,
		NetworkPort:    i.NetworkPort,
		Tags:           i.Tags,
		SerialNo:       i.SerialNo,
		CTime:          i.CTime,
		MTime:          i.MTime,
	}, nil
}

// canonical spells the addresses of a list, in place. What is no address stays.
func canonical(spell func(string) (string, bool), addresses []string) []string {
	for i, a := range addresses {
		addresses[i], _ = spell(a)
	}
	return addresses
}

// canonicalText spells one address. What is no address stays.
func canonicalText(spell func(string) (string, bool), address string) string {
	address, _ = spell(address)
	return address
}
