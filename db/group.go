package db

import "time"

// Group is a row of node_groups.
type Group struct {
	Object
	AllocPolicy string `db:"alloc_policy" json:"alloc_policy"`
	NodeCount   *int64 `db:"node_count" json:"node_count"`
	// Nodes are the names of the members. Ganeti sends them in no order; sort them, or a new order is a change.
	Nodes    List       `db:"nodes" json:"nodes"`
	Tags     List       `db:"tags,set" json:"tags"`
	SerialNo *int64     `db:"serial_no" json:"serial_no"`
	CTime    *time.Time `db:"ctime" json:"ctime"`
	MTime    *time.Time `db:"mtime" json:"mtime"`
}
