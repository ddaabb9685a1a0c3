package db

import (
	"iter"
	"time"
)

// Snapshot is one complete, validated answer of one cluster and kind, as far as it differs from the record.
type Snapshot struct {
	ClusterID int64
	Kind      Kind
	// StartedAt is when the request started; it becomes observed_at of what is written.
	StartedAt time.Time
	// Ticket is the number that was drawn before the request was sent: the greater one is newer.
	Ticket   int64
	Duration time.Duration
	// Bytes and Objects are those of the whole answer.
	Bytes   int64
	Objects int
	// NextDue is when the kind is due again; zero is stored as NULL.
	NextDue time.Time
	// Generation is that of the Fingerprints (or of the last Outcome) the comparison was made against.
	Generation int64
	// Changed yields the items that differ from the record; nil means none. A transaction that is tried again iterates
	// again. Each row must be a value of its own and is the store's to change; Info and Raw need to stay valid only until
	// the next item is asked for.
	Changed iter.Seq[Item]
	// Missing are the keys on record that were not seen unchanged, those of changed items included.
	Missing []string
	// Guard decides about removals; it is asked only when there are any. Nil allows all.
	Guard func(Removals) Decision
	// MaxLive is how many rows may be live while removals are withheld, by the number of those that were live when that began
	// and that of the answer's objects; what would exceed it is not created. Nil sets no bound.
	MaxLive func(before, objects int) int
	// Lease in whose name the snapshot is applied; nil asks for none, as for what an operator or a reader wants now.
	Lease *Lease
	// DryRun does everything, then rolls back.
	DryRun bool
	// Explain fills Outcome.Changes.
	Explain bool
}

// Item is one object of a snapshot.
type Item struct {
	// Row is nil for an item that cannot be stored; it goes to quarantine with Reason.
	Row Row
	// Key is the uuid (or job id) of an item without Row; for others the row's UUID counts. An item whose key is ""
	// withholds every removal of its snapshot, since it may be any of the objects that seem to be missing.
	Key, Name string
	// Digest tells the bytes of the item as sent; equal digests are equal items.
	Digest [16]byte
	// Raw is the item as sent, kept in quarantine.
	Raw    []byte
	Reason string
}

// Removals is what a Guard decides about.
type Removals struct {
	// Live counts the live rows before this snapshot.
	Live int
	// Absent are the keys of live rows that the snapshot no longer has, sorted.
	Absent []string
	// Pending is what earlier snapshots left pending.
	Pending Pending
	// Approved counts those that the answer lacks beside Absent, and that are removed because the operator approved them.
	Approved int
	// Singles counts those that were removed one by one since the last complete answer; they are among Live.
	Singles int
	// Refused counts the new objects of this answer that MaxLive kept out.
	Refused int
}

// Decision is a Guard's answer.
type Decision struct {
	Allow bool
	// Pending is kept in freshness when Allow is false, and cleared otherwise.
	Pending Pending
	// Error and Reason are stored in freshness as the attempt's error when Allow is false.
	Error, Reason string
}

// Outcome is what a snapshot changed.
type Outcome struct {
	Created, Updated, Renamed, Removed, Restored int
	// Quarantined counts the items of this snapshot's Changed that could not be stored.
	Quarantined int
	// Unread is why the first of them could not.
	Unread string
	// RowsWritten counts rows of the kind's table and of quarantine, those without an entry in changes included.
	RowsWritten int64
	// Generation is that of the record now.
	Generation int64
	// Withheld are the keys of live rows that are absent and were kept.
	Withheld []string
	// Refused are the keys of new objects that were not created, because of MaxLive.
	Refused []string
	// Error says why they were kept, in a sentence, and Reason in a short label; both are in freshness as well.
	Error, Reason string
	// Skipped are the keys whose row was observed later than this snapshot and left alone.
	Skipped []string
	// Changes are filled on request (Snapshot.Explain).
	Changes []Change
}

// Fingerprint tells an object's content on record.
type Fingerprint struct {
	Key    string
	Digest [16]byte
}

// Fingerprints is what a snapshot is compared with.
type Fingerprints struct {
	Generation int64
	Items      []Fingerprint
}

// touch is the part of the snapshot that freshness keeps.
func (s *Snapshot) touch() Touch {
	return Touch{
		Kind: s.Kind, StartedAt: s.StartedAt, Ticket: s.Ticket, Duration: s.Duration, Bytes: s.Bytes, Objects: s.Objects,
		NextDue: s.NextDue, Generation: s.Generation,
	}
}
