package updater

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"ganeticache/db"
	"ganeticache/ganeti"
)

// Result is the outcome of one refresh of one cluster.
type Result struct {
	Cluster   string
	StartedAt time.Time // UTC
	Duration  time.Duration
	// Kinds holds what was asked for, the cluster itself first. It is empty when nothing was due.
	Kinds []KindResult
	// NextDue is when the first of the failed kinds is tried again; zero when all went well.
	NextDue time.Time
	// Failures counts the failures in a row, this one included.
	Failures int
}

// KindResult is the outcome for one kind.
type KindResult struct {
	Kind     db.Kind
	Objects  int   // in Ganeti's answer
	Bytes    int64 // of Ganeti's answer
	Duration time.Duration
	Outcome  db.Outcome
	// Err is why the kind is not fresh now; nil when it is.
	Err error
	// Unreadable is why the first item of the answer could not be stored, when none of them could: that is the version of
	// Ganeti, or something else answers. All of it is in quarantine, and the kind is fresh nevertheless. An answer that comes
	// again as it was is looked up in the database for this, by Once alone.
	Unreadable string

	// changed is how many items of the answer are not as on record.
	changed int
}

// Err joins the errors of the kinds, each once; nil when every kind is fresh.
func (r Result) Err() error {
	var errs []error
	seen := map[string]bool{}
	for _, k := range r.Kinds {
		if k.Err != nil && !seen[k.Err.Error()] {
			seen[k.Err.Error()] = true
			errs = append(errs, k.Err)
		}
	}
	return errors.Join(errs...)
}

// Bytes is the size of all answers together.
func (r Result) Bytes() int64 {
	var n int64
	for _, k := range r.Kinds {
		n += k.Bytes
	}
	return n
}

// Of gives the outcome for a kind; ok is false when that kind was not part of the refresh.
func (r Result) Of(k db.Kind) (KindResult, bool) {
	for _, kr := range r.Kinds {
		if kr.Kind == k {
			return kr, true
		}
	}
	return KindResult{}, false
}

// Total adds the counts of all kinds. Changes and names are not joined.
func (r Result) Total() db.Outcome {
	var t db.Outcome
	for _, k := range r.Kinds {
		t.Created += k.Outcome.Created
		t.Updated += k.Outcome.Updated
		t.Renamed += k.Outcome.Renamed
		t.Removed += k.Outcome.Removed
		t.Restored += k.Outcome.Restored
		t.Quarantined += k.Outcome.Quarantined
		t.RowsWritten += k.Outcome.RowsWritten
	}
	return t
}

// MarshalLogObject implements [zapcore.ObjectMarshaler]: the fields of the one line that a refresh logs.
func (r Result) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	t := r.Total()
	enc.AddString("cluster", r.Cluster)
	enc.AddDuration("duration", r.Duration)
	enc.AddInt64("bytes", r.Bytes())
	for _, k := range r.Kinds {
		if k.Kind != db.KindCluster && k.Err == nil {
			enc.AddInt(string(k.Kind)+"s", k.Objects)
		}
	}
	for _, c := range []struct {
		name  string
		count int
	}{
		{"created", t.Created},
		{"updated", t.Updated},
		{"renamed", t.Renamed},
		{"removed", t.Removed},
		{"restored", t.Restored},
		{"quarantined", t.Quarantined},
	} {
		if c.count > 0 {
			enc.AddInt(c.name, c.count)
		}
	}
	return nil
}

// log writes the one line of a refresh.
func (r Result) log(l *zap.Logger) {
	err := r.Err()
	switch {
	case len(r.Kinds) == 0:
	case err == nil:
		l.Info("refreshed", zap.Inline(r))
	case nobodysTrouble(err):
		l.Info("refresh abandoned", zap.Inline(r), zap.String("reason", Reason(err)))
	default:
		fields := []zap.Field{zap.Inline(r), zap.String("reason", Reason(err)), zap.Error(err)}
		if !r.NextDue.IsZero() { // it could be recorded
			fields = append(fields, zap.Int("failures", r.Failures), zap.Time("next_due", r.NextDue))
		}
		l.Warn("refresh failed", fields...)
	}
}

// Unreadable gives the kinds of whose answer not one item could be read; see [KindResult].
func (r Result) Unreadable() []db.Kind {
	var kinds []db.Kind
	for _, k := range r.Kinds {
		if k.Unreadable != "" {
			kinds = append(kinds, k.Kind)
		}
	}
	return kinds
}

// WithheldError says that a complete answer lacked objects whose removal is not certain: too many at once, or an item of
// the answer may be any of them.
type WithheldError struct {
	Kind   db.Kind
	Absent int
	// Why is the short label that is in freshness: removals_withheld or quarantine.
	Why  string
	text string
}

// Error implements error.
func (e *WithheldError) Error() string { return e.text }

// OtherClusterError says that another cluster answers at the address of a cluster.
type OtherClusterError struct{ Want, Got string }

// Error implements error.
func (e *OtherClusterError) Error() string {
	return fmt.Sprintf("another cluster answers at this address: it says uuid %.64q, on record is %s; nothing was changed. "+
		"Correct the address, or give the new cluster a name of its own in the configuration", e.Got, e.Want)
}

// PanicError is a panic in a refresh, contained. Its stack goes to the log at debug level only.
type PanicError struct {
	Value any
	Stack []byte
}

// Error implements error.
func (e *PanicError) Error() string {
	return fmt.Sprintf("panic (a defect, please report it): %v", e.Value)
}

// reasonDuplicate is the label of db.ErrDuplicateCluster.
const reasonDuplicate = "duplicate_cluster"

// Reason gives a short label for an error of a refresh, from a bounded set, for metrics and the freshness row.
func Reason(err error) string {
	var withheld *WithheldError
	var other *OtherClusterError
	var moved *MovedError
	var crowded *CrowdedError
	var panicked *PanicError
	var settings *settingsError
	var store *storeError
	var superseded *supersededError
	var remembered *rememberedError
	switch {
	case errors.As(err, &remembered) && remembered.reason != "":
		return remembered.reason
	case errors.Is(err, ErrNeverRefreshed):
		return "never_refreshed"
	case errors.As(err, &withheld):
		return withheld.Why
	case errors.As(err, &other), errors.Is(err, db.ErrOtherCluster):
		return "other_cluster"
	case errors.Is(err, db.ErrDuplicateCluster):
		return "duplicate_cluster"
	case errors.As(err, &moved):
		return "moved"
	case errors.As(err, &crowded) && crowded.Reader:
		return "crowded"
	case errors.As(err, &panicked):
		return "panic"
	case errors.As(err, &settings):
		return "settings"
	case errors.As(err, &superseded):
		return "superseded"
	case errors.Is(err, db.ErrLeaseLost):
		return "lease_lost"
	case errors.As(err, &store):
		return databaseReason(err)
	default:
		return ganeti.Reason(err)
	}
}

// databaseReason names the kind of trouble with the database: database_unavailable, database_full and so on.
func databaseReason(err error) string {
	if errors.Is(err, context.Canceled) {
		return "canceled"
	}
	if t := db.TroubleOf(err); t != db.TroubleNone && t != db.TroubleOther {
		return "database_" + string(t)
	}
	return "database"
}

// databaseTrouble says whether an error is the database's and not the cluster's.
func databaseTrouble(err error) bool { return strings.HasPrefix(Reason(err), "database") }

// settingsError is trouble with a cluster's configuration, such as a password file that is gone.
type settingsError struct{ err error }

func (e *settingsError) Error() string { return e.err.Error() }
func (e *settingsError) Unwrap() error { return e.err }

// storeError is trouble with the database rather than with the cluster.
type storeError struct{ err error }

func (e *storeError) Error() string { return e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// storing gives an error of the database that was met while writing, or the refusal of a second name, which is no trouble
// with the database.
func storing(err error) error {
	if twin, ok := errors.AsType[*db.DuplicateError](err); ok {
		return twin
	}
	return &storeError{err}
}

// supersededError says that another process keeps writing the same rows while this one compares.
type supersededError struct{ err error }

func (e *supersededError) Error() string {
	return "another updater refreshes this cluster at the same time, and its rows are newer: " + e.err.Error()
}
func (e *supersededError) Unwrap() error { return e.err }
