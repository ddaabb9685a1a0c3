package updater

import (
	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/netaddr"
)

// networkRow maps an item of /2/networks?bulk=1 to its row.
func networkRow(raw []byte) (db.Row, error) {
	n, err := ganeti.DecodeNetwork(raw)
	if err != nil {
		return nil, err
	}
	return &db.Network{
		Object:        db.Object{UUID: n.UUID, Name: n.Name},
		Network:       canonicalText(netaddr.Prefix, n.Network),
		Gateway:       canonicalText(netaddr.IP, n.Gateway),
		Network6:      canonicalText(netaddr.Prefix, n.Network6),
		Gateway6:      canonicalText(netaddr.IP, n.Gateway6),
		MACPrefix:     canonicalText(netaddr.MACPrefix, n.MACPrefix),
		FreeCount:     n.FreeCount,
		ReservedCount: n.ReservedCount,
		Tags:          n.Tags,
		SerialNo:      n.SerialNo,
		CTime:         n.CTime,
		MTime:         n.MTime,
	}, nil
}
