package db

import (
	"context"
	"fmt"
)

// Lease is the right of one replica to refresh a cluster on schedule. [Store.Share] gives it. It holds as long as its
// replica is heard of and no other has taken it over; whoever writes in its name is checked in the writing transaction.
type Lease struct {
	ClusterID int64
	// Holder is the id of the replica.
	Holder string
	// Token grows each time that the lease comes to a holder.
	Token int64
}

// fence makes sure that a transaction in the name of a lease is its holder's, and keeps the lease where it is until the
// transaction ends: a take-over, which skips locked rows, comes before it or after it but never during it. A nil lease
// asks for nothing: those who write without one are held back by the generation of the rows alone.
func fence(ctx context.Context, x *txn, clusterID int64, l *Lease) error {
	if l == nil {
		return nil
	}
	var tokens []int64
	query := "SELECT token FROM leases WHERE cluster_id = ? AND holder = ?" + x.d.forUpdate
	if err := x.all(ctx, &tokens, query, clusterID, l.Holder); err != nil {
		return fmt.Errorf("checking the lease: %w", err)
	}
	if len(tokens) == 0 {
		return l.check(nil)
	}
	return l.check(&tokens[0])
}

// check compares the lease with the token that its holder has; nil when it has none.
func (l *Lease) check(token *int64) error {
	if l != nil && (token == nil || *token != l.Token) {
		return fmt.Errorf("token %d of %s: %w", l.Token, l.Holder, ErrLeaseLost)
	}
	return nil
}

// token is what a write in the name of the lease leaves behind.
func (l *Lease) token() int64 {
	if l == nil {
		return 0
	}
	return l.Token
}
