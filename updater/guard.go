package updater

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"ganeticache/db"
)

// reasonWithheld labels a refresh whose removals the guard held back.
const reasonWithheld = "removals_withheld"

// Guard decides whether objects that a complete snapshot no longer has are removed. A broken answer that happens to be
// well-formed must not empty a cache on which permissions hang, so that a large or total loss has to be seen again
// before it is believed.
type Guard struct {
	// MaxObjects and MaxPercent: losing more than both at once is suspicious.
	MaxObjects int
	MaxPercent int
	// Snapshots is how many further complete snapshots must show the same absence before it is believed.
	Snapshots int
}

// DefaultGuard distrusts losing more than 10 objects that are more than a quarter of their kind, until three further
// snapshots agree.
func DefaultGuard() Guard { return Guard{MaxObjects: 10, MaxPercent: 25, Snapshots: 3} }

// Decide is pure: what it needs to remember comes in r.Pending and goes out in the decision, and the store keeps it.
// Losing every object of a kind is always suspicious, however few there were. What was removed one by one since the last
// complete answer counts as lost with the rest; beside an approval every other loss is suspicious; and an answer that lists
// more new objects than there is room for confirms nothing.
func (g Guard) Decide(k db.Kind, r db.Removals) db.Decision {
	absent := len(r.Absent)
	lost := absent + r.Singles
	everything := lost == r.Live
	many := lost > g.MaxObjects && lost*100 > g.MaxPercent*r.Live
	if absent == 0 || !everything && !many && r.Approved == 0 {
		return db.Decision{Allow: true}
	}
	p := db.Pending{Count: absent, Digest: digestKeys(r.Absent), Seen: 1}
	switch {
	case r.Refused > 0:
		p.Seen = max(1, r.Pending.Seen)
	case r.Pending.Digest == p.Digest:
		p.Seen = r.Pending.Seen + 1
	}
	left := g.Snapshots + 1 - p.Seen
	if left <= 0 {
		return db.Decision{Allow: true}
	}
	text := fmt.Sprintf("withholding the removal of %d of %d %ss that the answer no longer lists; "+
		"check the cluster: they are removed when %d more complete answers in a row lack the same ones, "+
		"or with the next one after `updater clusters approve-removals`", absent, r.Live, k, left)
	if r.Refused > 0 {
		text = fmt.Sprintf("withholding the removal of %d of %d %ss that the answer no longer lists, and not taking in %d new ones: "+
			"the answers list others each time, so that no further one confirms anything; "+
			"check what answers there, or `updater clusters approve-removals`", absent, r.Live, k, r.Refused)
	}
	return db.Decision{Pending: p, Reason: reasonWithheld, Error: text}
}

// MaxLive bounds the live rows of a kind while removals are withheld: twice what there was when that began, or what the
// answer lists if that is more, and MaxObjects. An answer that replaces everything fits once, which is what a cluster that
// was rebuilt gives; one that replaces everything each time would add rows without end.
func (g Guard) MaxLive(before, objects int) int { return 2*max(before, objects) + g.MaxObjects }

// digestKeys names a set of keys, whatever their order.
func digestKeys(keys []string) string {
	sorted := slices.Sorted(slices.Values(keys))
	h := sha256.New()
	for _, k := range sorted {
		fmt.Fprintf(h, "%d:%s,", len(k), k)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
