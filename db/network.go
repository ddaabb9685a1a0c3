package db

import "time"

// Network is a row of networks. The address counts are volatile: they follow every VM that comes and goes.
type Network struct {
	Object
	// Network is the IPv4 network in CIDR notation; Network6, Gateway and Gateway6 are "" when unset.
	Network       string     `db:"network" json:"network"`
	Gateway       string     `db:"gateway" json:"gateway"`
	Network6      string     `db:"network6" json:"network6"`
	Gateway6      string     `db:"gateway6" json:"gateway6"`
	MACPrefix     string     `db:"mac_prefix" json:"mac_prefix"`
	FreeCount     *int64     `db:"free_count,volatile" json:"free_count"`
	ReservedCount *int64     `db:"reserved_count,volatile" json:"reserved_count"`
	Tags          List       `db:"tags,set" json:"tags"`
	SerialNo      *int64     `db:"serial_no" json:"serial_no"`
	CTime         *time.Time `db:"ctime" json:"ctime"`
	MTime         *time.Time `db:"mtime" json:"mtime"`
}
