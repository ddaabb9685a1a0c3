package updater

import (
	"slices"

	"ganeticache/db"
	"ganeticache/ganeti"
)

// groupRow maps an item of /2/groups?bulk=1 to its row.
func groupRow(raw []byte) (db.Row, error) {
	g, err := ganeti.DecodeGroup(raw)
	if err != nil {
		return nil, err
	}
	return &db.Group{
		Object:      db.Object{UUID: g.UUID, Name: g.Name},
		AllocPolicy: g.AllocPolicy,
		NodeCount:   g.NodeCount,
		Nodes:       slices.Sorted(slices.Values(g.Nodes)), // Ganeti's order means nothing and may change
		Tags:        g.Tags,
		SerialNo:    g.SerialNo,
		CTime:       g.CTime,
		MTime:       g.MTime,
	}, nil
}
