package updater

import (
	"ganeticache/db"
	"ganeticache/ganeti"
)

// jobRow maps an item of /2/jobs?bulk=1 to its row. Jobs have no uuid; their id, unique within the cluster, stands in.
func jobRow(raw []byte) (db.Row, error) {
	j, err := ganeti.DecodeJob(raw)
	if err != nil {
		return nil, err
	}
	row := &db.Job{
		Object:     db.Object{UUID: j.ID},
		Status:     j.Status,
		Summary:    j.Summary,
		ReceivedAt: j.ReceivedAt,
		StartedAt:  j.StartedAt,
		EndedAt:    j.EndedAt,
	}
	if len(j.Summary) > 0 {
		row.Name = j.Summary[0]
	}
	return row, nil
}
