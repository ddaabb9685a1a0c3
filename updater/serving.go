package updater

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"ganeticache/db"
	"ganeticache/ganeti"
)

// MovedError says that a cluster's RAPI was served by another address in the middle of a refresh, and that the answer of
// that address was not used: nobody had asked it which cluster it is.
type MovedError struct{ From, To ganeti.Address }

// Error implements error.
func (e *MovedError) Error() string {
	return fmt.Sprintf("RAPI moved from %s to %s in the middle of a refresh: a master failover. The answer of the latter was not "+
		"used; the next refresh makes sure that it is the same cluster", e.From, e.To)
}

// sameAddress gives a MovedError unless an answer is from the address that has shown the cluster's uuid.
func sameAddress(proven, from ganeti.Address) error {
	if proven != from {
		return &MovedError{From: proven, To: from}
	}
	return nil
}

// refusedBy gives the address that answered with an error.
func refusedBy(err error) ganeti.Address {
	if status, ok := errors.AsType[*ganeti.StatusError](err); ok {
		return status.Address
	}
	return ganeti.Address{}
}

// distrust has a source with several addresses begin with another one next time, or the cluster that answers at this one
// would hide the right one from then on.
func distrust(src Source, at ganeti.Address) {
	if d, ok := src.(interface{ Distrust(at ganeti.Address) }); ok {
		d.Distrust(at)
	}
}

// recordServing records the address that has shown the cluster's uuid, if it is not the one on record: for readers of the
// row, and for the next process to begin with. What this process knows of the row is not trusted where the cluster's info
// was news, since another process may have refreshed the cluster meanwhile.
func (r *run) recordServing(ctx context.Context, at ganeti.Address, news bool) error {
	row := &r.t.row
	before := ganeti.Address{Host: row.RAPIHost, Port: row.RAPIPort}
	if at == before && !news || at == (ganeti.Address{}) || row.ID == 0 || r.u.opts.DryRun {
		return nil
	}
	if err := r.u.opts.Store.SetServing(ctx, row.ID, r.lease, db.RAPIAddress(at)); err != nil {
		return &storeError{err}
	}
	if at == before {
		return nil
	}
	row.RAPIHost, row.RAPIPort = at.Host, at.Port
	r.t.serving.Store(&at)
	r.u.log.Info("RAPI is served by another address",
		zap.String("cluster", r.res.Cluster), zap.Stringer("from", before), zap.Stringer("to", at))
	return nil
}
