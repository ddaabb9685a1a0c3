package db

import (
	"context"
	"errors"
	"strings"
	"syscall"
)

// Trouble says what kind of trouble with the database an error means: a short label from a bounded set, fit for metrics.
type Trouble string

// The kinds of trouble; docs/database.md says what each means and what to do.
const (
	// TroubleNone is that of nil and of errors that are not the database's, such as ErrConflict.
	TroubleNone        Trouble = ""
	TroubleUnavailable Trouble = "unavailable"
	TroubleReadOnly    Trouble = "read_only"
	TroubleFull        Trouble = "full"
	TroubleMemory      Trouble = "memory"
	TroublePermission  Trouble = "permission"
	TroubleSchema      Trouble = "schema"
	TroubleLocked      Trouble = "locked"
	TroubleConflict    Trouble = "conflict"
	TroubleCorrupt     Trouble = "corrupt"
	TroubleOther       Trouble = "other"
)

// TroubleOf returns what kind of trouble with the database an error of [Store] or [Open] means.
func TroubleOf(err error) Trouble {
	kind, _ := classify(err)
	return kind
}

// Away says whether an error is the database's and one that goes by: who asks again later may be answered. It is false for
// an error that only looks alike, such as a deadline that somebody else has missed.
func Away(err error) bool {
	e, ok := errors.AsType[*troubleError](err)
	if !ok {
		return false
	}
	switch e.kind {
	case TroubleUnavailable, TroubleReadOnly, TroubleFull, TroubleMemory, TroubleLocked, TroubleConflict, TroubleSchema:
		return true
	case TroubleNone, TroublePermission, TroubleCorrupt, TroubleOther:
	}
	return false
}

// advice is one sentence of what to do about a kind of trouble, where the error itself does not call for a better one.
func (t Trouble) advice() string {
	switch t {
	case TroubleNone:
		return ""
	case TroubleUnavailable:
		return "the database cannot be reached or went away; the updater tries again by itself"
	case TroubleReadOnly:
		return "this server takes no writes: name every server in the database URL, or promote one"
	case TroubleFull:
		return "make room on the disk of the database; the updater goes on by itself"
	case TroubleMemory:
		return "the database is out of memory: give it more, or lower its work_mem and max_connections"
	case TroublePermission:
		return "give the database's user the rights it lacks, or correct the database URL"
	case TroubleSchema:
		return "the schema is not this program's: run `updater schema apply`, or set the search_path of the user right"
	case TroubleLocked:
		return "another session holds a lock for too long: find it with pg_stat_activity, or with lsof on the SQLite file, and end it"
	case TroubleConflict:
		return "other sessions write the same rows all the time; the updater tries again at its next turn"
	case TroubleCorrupt:
		return "the database is damaged: stop the updater and restore a back-up, or let it fill an empty database"
	case TroubleOther:
	}
	return "unexpected: look at the log of the database for what happened before it"
}

// troubleError adds advice to the error of a database. It is made at the two gates that every statement passes, pool and
// Store.retry.
type troubleError struct {
	kind   Trouble
	advice string
	err    error
}

func (e *troubleError) Error() string {
	// The driver lists the servers it tried on lines of their own.
	text := strings.NewReplacer(":\n", ": ", "\n", "; ").Replace(e.err.Error())
	return text + " (" + e.advice + ")"
}

func (e *troubleError) Unwrap() error { return e.err }

// advise adds advice to an error of the database, once, and returns any other as it is. An error that follows from the end
// of ctx is made to say so: the drivers name only what they saw, a cancelled statement.
func advise(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, done := errors.AsType[*troubleError](err); done {
		return err
	}
	kind, advice := classify(err)
	if kind == TroubleNone || errors.Is(err, ErrSchemaNewer) { // which says itself what to do
		return err
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = errors.Join(ended, err)
		if kind, advice = classify(err); kind == TroubleNone {
			return err
		}
	}
	return &troubleError{kind: kind, advice: advice, err: err}
}

// classify finds the trouble in an error, and the advice for it.
func classify(err error) (kind Trouble, advice string) {
	if e, ok := errors.AsType[*troubleError](err); ok {
		return e.kind, e.advice
	}
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return TroubleNone, ""
	case errors.Is(err, context.DeadlineExceeded):
		kind, advice = TroubleUnavailable, "the database did not answer in time"
	case errors.Is(err, ErrCommitUnknown):
		kind, advice = TroubleUnavailable, "the updater compares anew and writes only what is missing"
	case errors.Is(err, ErrSchemaMissing), errors.Is(err, ErrSchemaOld), errors.Is(err, ErrSchemaNewer):
		kind = TroubleSchema
	case errors.Is(err, syscall.ENOSPC):
		kind = TroubleFull
	default:
		kind, advice = driverTrouble(err)
	}
	if advice == "" {
		advice = kind.advice()
	}
	return kind, advice
}

// driverTrouble asks each driver whether the error is its own.
func driverTrouble(err error) (kind Trouble, advice string) {
	if kind, advice = postgresTrouble(err); kind == TroubleNone {
		kind = sqliteTrouble(err)
	}
	return kind, advice
}
