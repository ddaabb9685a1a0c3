package updater

import (
	"context"
	"math"
	"time"

	"ganeticache/db"
)

// ticket draws the ticket of a request that is about to be sent. Its time is the database's, or, where that has no clock
// of its own, this process's. A dry run, which writes nothing, draws none: what it sees is newer than all.
func (u *Updater) ticket(ctx context.Context) (db.Ticket, error) {
	if u.opts.DryRun {
		return db.Ticket{Number: math.MaxInt64, At: u.now().UTC()}, nil
	}
	began := time.Now()
	t, err := u.opts.Store.Ticket(ctx)
	if err != nil {
		return t, &storeError{err}
	}
	u.clock.anchor(t.At, began)
	if t.At.IsZero() {
		t.At = u.now().UTC()
	}
	return t, nil
}

// failureTicket is the ticket by which a failure is ordered: that of the request that failed, or a new one where none was
// sent.
func (u *Updater) failureTicket(ctx context.Context, src *measured) (db.Ticket, error) {
	if src != nil && src.ticket.Number != 0 {
		return src.ticket, nil
	}
	return u.ticket(ctx)
}
