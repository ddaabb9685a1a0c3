package db

import "time"

// Object holds the columns that every cached row has.
type Object struct {
	// ID is the stable row id; the store sets it.
	ID int64 `db:"id" json:"id"`
	// ClusterID is set by the store from the snapshot.
	ClusterID int64 `db:"cluster_id" json:"cluster_id"`
	// UUID identifies the object within its cluster (for a job: its id as text).
	UUID string `db:"uuid" json:"uuid"`
	// Name is Ganeti's name of the object; it may change.
	Name string `db:"name" json:"name"`
	// Info is the whole object as JSON. It must be valid for PostgreSQL's jsonb: no \u0000, no lone surrogates.
	Info JSON `db:"info" json:"info,omitempty"`
	// Digest tells the bytes of the object as sent; the store sets it from the item.
	Digest []byte `db:"digest" json:"-"`
	// ObservedAt is when the request started that produced this row's content; the store sets it.
	ObservedAt time.Time `db:"observed_at" json:"observed_at"`
	// Ticket is the number of that request, by which observations are ordered; the store sets it.
	Ticket int64 `db:"ticket" json:"-"`
	// DeletedAt is set on tombstones: objects that a complete snapshot no longer had.
	DeletedAt *time.Time `db:"deleted_at" json:"deleted_at"`
}

// Base gives access to the common columns of any row.
func (o *Object) Base() *Object { return o }

// Row is a cached row: *VM, *Node, *Group, *Network or *Job. Columns are the fields with a db tag; the tag option
// "volatile" marks those whose changes update the row without an entry in changes, and "set" lists whose order means nothing.
type Row interface {
	Base() *Object
}
