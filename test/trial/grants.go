package trial

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/jmoiron/sqlx"
)

// grant is a permission given by hand.
type grant struct {
	Subject string `db:"subject"`
	VM      int64  `db:"vm_id"`
}

// Grants gives and takes permissions by SQL, as portals do, and knows which must be there. It is for one goroutine.
type Grants struct {
	db    *sqlx.DB
	score *Score
	rng   *rand.Rand
	given map[grant]bool
	// doubtful are those whose statement failed: whether it took effect, only the database knows.
	doubtful map[grant]bool
	made     int
}

// NewGrants begins without any.
func NewGrants(db *sqlx.DB, score *Score, seed uint64) *Grants {
	return &Grants{
		db: db, score: score, rng: rand.New(rand.NewPCG(seed, 11)), given: map[grant]bool{}, doubtful: map[grant]bool{},
	}
}

// Give grants a new subject something on so many live VMs, chosen at random.
func (g *Grants) Give(ctx context.Context, n int) error {
	var vms []int64
	if err := g.db.SelectContext(ctx, &vms, "SELECT id FROM virtual_machines WHERE deleted_at IS NULL ORDER BY id"); err != nil {
		return fmt.Errorf("listing VMs to grant something on: %w", err)
	}
	for range min(n, len(vms)) {
		g.made++
		one := grant{fmt.Sprintf("user-%d", g.made), vms[g.rng.IntN(len(vms))]}
		_, err := g.db.ExecContext(ctx, "INSERT INTO permissions (subject, permission, vm_id) VALUES ($1, 'owner', $2)", one.Subject, one.VM)
		if err != nil {
			g.doubtful[one] = true
			return fmt.Errorf("granting %s something on VM %d: %w", one.Subject, one.VM, err)
		}
		g.given[one] = true
	}
	return nil
}

// Take takes one grant back.
func (g *Grants) Take(ctx context.Context) error {
	for one := range g.given {
		delete(g.given, one)
		_, err := g.db.ExecContext(ctx, "DELETE FROM permissions WHERE subject = $1 AND vm_id = $2", one.Subject, one.VM)
		if err != nil {
			g.doubtful[one] = true
			return fmt.Errorf("revoking what %s has on VM %d: %w", one.Subject, one.VM, err)
		}
		return nil
	}
	return nil
}

// Verify compares the table with what was given. What was in doubt is settled by it.
func (g *Grants) Verify(ctx context.Context) error {
	var rows []grant
	if err := g.db.SelectContext(ctx, &rows, "SELECT subject, vm_id FROM permissions WHERE vm_id IS NOT NULL"); err != nil {
		return fmt.Errorf("reading the permissions: %w", err)
	}
	there := make(map[grant]bool, len(rows))
	for _, r := range rows {
		there[r] = true
		switch {
		case g.doubtful[r]:
			g.given[r] = true
		case !g.given[r]:
			g.score.Losef(LostGrants, "%s has a grant on VM row %d that nobody gave", r.Subject, r.VM)
		}
	}
	clear(g.doubtful)
	for one := range g.given {
		if !there[one] {
			g.score.Losef(LostGrants, "the grant of %s on VM row %d is gone", one.Subject, one.VM)
			delete(g.given, one)
		}
	}
	g.score.Looked("grants checked", len(g.given))
	return nil
}
