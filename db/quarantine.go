package db

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
)

// maxRaw bounds what is kept of an item that could not be stored.
const maxRaw = 64 << 10

// quarantineEntry is a row of quarantine; it is identified by cluster, kind and digest.
type quarantineEntry struct {
	key, name, reason, raw string
	digest                 []byte
}

// quarantine sets an item aside.
func (a *applier) quarantine(ctx context.Context, item Item) error {
	key := cleanText(item.Key)
	if key == "" {
		a.keyless++
	} else if !a.keys[key] {
		a.keys[key] = false
	}
	if a.out.Quarantined++; a.out.Quarantined == 1 {
		a.out.Unread = cleanText(item.Reason)
	}
	digest := slices.Clone(item.Digest[:])
	a.bad = append(a.bad, digest)
	a.quarantined = append(a.quarantined, quarantineEntry{
		key: key, name: cleanText(item.Name), reason: cleanText(item.Reason), digest: digest,
		raw: cleanText(string(item.Raw[:min(len(item.Raw), maxRaw)])),
	})
	a.quarantinedBytes += min(len(item.Raw), maxRaw)
	if len(a.quarantined) < chunkRows && a.quarantinedBytes < chunkBytes {
		return nil
	}
	return a.flushQuarantine(ctx)
}

const insertQuarantine = `
INSERT INTO quarantine (cluster_id, kind, uuid, name, digest, reason, raw, observed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
-- an item that is seen again as it was keeps its entry, and the time it was first seen
ON CONFLICT (cluster_id, kind, digest) DO UPDATE
SET uuid = excluded.uuid, name = excluded.name, reason = excluded.reason, raw = excluded.raw,
    observed_at = excluded.observed_at
WHERE quarantine.uuid <> excluded.uuid OR quarantine.reason <> excluded.reason`

// flushQuarantine writes the entries gathered so far. They are few: one statement each.
func (a *applier) flushQuarantine(ctx context.Context) error {
	if len(a.quarantined) == 0 {
		return nil
	}
	if err := errors.Join(a.settle(), a.endLoad(ctx)); err != nil {
		return err
	}
	for _, e := range a.quarantined {
		n, err := a.x.exec(ctx, insertQuarantine, a.snap.ClusterID, a.snap.Kind, e.key, e.name, e.digest, e.reason, e.raw,
			a.snap.StartedAt)
		if err != nil {
			return fmt.Errorf("writing to quarantine: %w", err)
		}
		a.out.RowsWritten += n
	}
	a.quarantined, a.quarantinedBytes = nil, 0
	return nil
}

// releaseQuarantine deletes the entries whose item is gone or was stored after all: those whose key was not seen
// unchanged (it is in Missing) or was accepted now, and those without a key, because every snapshot reports such items
// anew (see Fingerprints). Entries of this very snapshot stay.
func (a *applier) releaseQuarantine(ctx context.Context) error {
	if !a.locked.Quarantined {
		return nil
	}
	var entries []struct {
		ID     int64  `db:"id"`
		UUID   string `db:"uuid"`
		Digest []byte `db:"digest"`
	}
	query := "SELECT id, uuid, digest FROM quarantine WHERE cluster_id = ? AND kind = ?"
	if err := a.x.all(ctx, &entries, query, a.snap.ClusterID, a.snap.Kind); err != nil {
		return fmt.Errorf("reading the quarantine: %w", err)
	}
	missing := make(map[string]bool, len(a.snap.Missing))
	for _, key := range a.snap.Missing {
		missing[key] = true
	}
	slices.SortFunc(a.bad, bytes.Compare)
	for _, e := range entries {
		if _, again := slices.BinarySearchFunc(a.bad, e.Digest, bytes.Compare); again {
			continue
		}
		if e.UUID != "" && !missing[e.UUID] {
			continue
		}
		n, err := a.x.exec(ctx, "DELETE FROM quarantine WHERE cluster_id = ? AND id = ?", a.snap.ClusterID, e.ID)
		if err != nil {
			return fmt.Errorf("releasing from quarantine: %w", err)
		}
		a.out.RowsWritten += n
	}
	return nil
}
