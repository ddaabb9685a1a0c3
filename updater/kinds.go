package updater

import (
	"ganeticache/db"
	"ganeticache/ganeti"
)

// kind is one sort of cached object: where RAPI lists it and how an item becomes a row. To cache another one: a wire
// type in package ganeti, a row type and a migration in package db, a file like vm.go here, and an entry in kinds.
type kind struct {
	name     db.Kind
	resource ganeti.Resource
	row      func(raw []byte) (db.Row, error)
	// expires says that Ganeti itself drops objects of this kind in bulk, as it archives old jobs: many at once is no
	// reason to suspect the answer.
	expires bool
	// redact says which values of an item are secret; nil is the built-in list.
	redact *ganeti.Redactor
	// digests is the hasher of the cluster whose items are read.
	digests ganeti.Hasher
}

// kinds lists what is cached beside the cluster itself, in the order of a refresh: groups and nodes first cost little
// and let a reader that joins VMs to nodes find them.
func kinds() []kind {
	return []kind{
		{name: db.KindGroup, resource: ganeti.Groups, row: groupRow},
		{name: db.KindNode, resource: ganeti.Nodes, row: nodeRow},
		{name: db.KindNetwork, resource: ganeti.Networks, row: networkRow},
		{name: db.KindVM, resource: ganeti.Instances, row: vmRow},
		{name: db.KindJob, resource: ganeti.Jobs, row: jobRow, expires: true},
	}
}

// item turns the bytes of one object into what the store applies: a row, or the reason why there is none. It may hold on
// to raw.
func (k kind) item(raw []byte) db.Item {
	it := db.Item{Digest: k.digests.Digest(raw)}
	info, storeErr := k.redact.Storable(raw)
	row, err := k.row(raw)
	if err == nil {
		err = storeErr
	}
	if err != nil {
		it.Key, it.Name = ganeti.Identify(raw)
		it.Reason, it.Raw = err.Error(), info
		return it
	}
	o := row.Base()
	o.Info = info
	o.Digest = it.Digest[:]
	it.Row, it.Key, it.Name = row, o.UUID, o.Name
	return it
}
