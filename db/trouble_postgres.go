package db

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// postgresTrouble recognises what the server says, and what the driver says of a server that says nothing.
func postgresTrouble(err error) (kind Trouble, advice string) {
	if e := pq.As(err); e != nil {
		return stateTrouble(e.Code)
	}
	switch {
	case errors.Is(err, pq.ErrSSLNotSupported):
		return TroublePermission, "enable TLS on the server, or say sslmode=disable in the database URL if the network is trusted"
	case isCertificate(err):
		return TroublePermission, "name the certificate's authority in the database URL with sslrootcert, and the server as the certificate does"
	case isNetwork(err), errors.Is(err, driver.ErrBadConn), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return TroubleUnavailable, ""
	case refusedAsReadOnly(err):
		return TroubleReadOnly, ""
	case errors.Is(err, pq.ErrInFailedTransaction):
		return TroubleOther, ""
	}
	return TroubleNone, ""
}

// stateTrouble goes by SQLSTATE.
func stateTrouble(code pqerror.Code) (kind Trouble, advice string) {
	switch code {
	case pqerror.ReadOnlySQLTransaction:
		return TroubleReadOnly, ""
	case pqerror.DiskFull:
		return TroubleFull, ""
	case pqerror.OutOfMemory:
		return TroubleMemory, ""
	case pqerror.TooManyConnections:
		return TroubleUnavailable, "the server has no connection left: raise its max_connections, or run fewer programs"
	case pqerror.InsufficientPrivilege:
		return TroublePermission, ""
	case pqerror.InvalidPassword, pqerror.InvalidAuthorizationSpecification:
		return TroublePermission, "check the user and the password in the database URL, and the server's pg_hba.conf"
	case pqerror.InvalidCatalogName:
		return TroubleSchema, "create the database first"
	case pqerror.UndefinedTable, pqerror.UndefinedColumn, pqerror.UndefinedFunction, pqerror.UndefinedObject, pqerror.InvalidSchemaName,
		pqerror.DatatypeMismatch:
		return TroubleSchema, ""
	case pqerror.LockNotAvailable:
		return TroubleLocked, ""
	case pqerror.QueryCanceled:
		return TroubleLocked, "the statement was cancelled, by the server's statement_timeout or by hand"
	case pqerror.DataCorrupted, pqerror.IndexCorrupted:
		return TroubleCorrupt, ""
	case pqerror.IdleInTransactionSessionTimeout:
		return TroubleUnavailable, "the updater stood still in the middle of a transaction, which the server then ended"
	}
	switch string(code.Class()) {
	case "08", "57": // connection exceptions; the server shuts down, starts up or recovers
		return TroubleUnavailable, ""
	case "28":
		return TroublePermission, ""
	case "40":
		return TroubleConflict, ""
	}
	return TroubleOther, ""
}

func isNetwork(err error) bool {
	_, ok := errors.AsType[net.Error](err)
	return ok
}

func isCertificate(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// refusedAsReadOnly recognises the driver's words for servers that are there and do not fit target_session_attrs. They
// have no type of their own.
func refusedAsReadOnly(err error) bool {
	return strings.HasSuffix(err.Error(), "session is read-only") || strings.HasSuffix(err.Error(), "server is in hot standby mode")
}

// standbyError names what a standby says to BEGIN READ WRITE, with a code that means little elsewhere.
func standbyError(err error) error {
	if pq.As(err, pqerror.FeatureNotSupported) == nil {
		return err
	}
	return &troubleError{kind: TroubleReadOnly, advice: TroubleReadOnly.advice(), err: err}
}

// isBroken reports that a connection which stood before is of no more use, and that others to the same server may be none
// either: it is gone, hangs, or takes no writes any more since another was promoted.
func isBroken(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) { // which is a net.Error by its methods
		return false
	}
	if t, ok := errors.AsType[*troubleError](err); ok && t.kind == TroubleReadOnly {
		return true
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op != "dial"
	}
	if pq.As(err, pqerror.ReadOnlySQLTransaction, pqerror.AdminShutdown, pqerror.CrashShutdown, pqerror.IdleSessionTimeout,
		pqerror.IdleInTransactionSessionTimeout) != nil {
		return true
	}
	return isNetwork(err) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// postgresRetryable: the server undid the transaction for the sake of another, or its connection broke before COMMIT was
// sent, which undoes it just as well; on another connection it may find the server back, or the one that was promoted.
//
// No second try for what has waited already (a lock, an answer), nor for a connection that cannot be made, which is the
// business of the next tick. Nor for a COMMIT without an answer: the transaction may be there. Apply would come to no harm,
// since the generation that it finds is not the one it was compared with (ErrConflict, and the engine compares anew), but
// RecordFailure would count one failure twice, and adding a cluster would say that there is one of that name.
func postgresRetryable(err error) bool {
	if errors.Is(err, ErrCommitUnknown) {
		return false
	}
	if pq.As(err, pqerror.TRSerializationFailure, pqerror.TRDeadlockDetected) != nil {
		return true
	}
	if wait, ok := errors.AsType[net.Error](err); ok && wait.Timeout() {
		return false
	}
	return isBroken(err)
}

// commitError says whether the server undid a transaction whose COMMIT failed (then its error stands), or whether nobody
// knows: the answer was lost, or the server says itself that it cannot tell.
func commitError(err error) error {
	e := pq.As(err)
	if sqliteCode(err) != 0 || errors.Is(err, pq.ErrInFailedTransaction) ||
		e != nil && !e.Fatal() && e.Code.Class() != "08" && e.Code != pqerror.TRStatementCompletionUnknown {
		return fmt.Errorf("committing: %w", err)
	}
	return fmt.Errorf("committing: %w: %w", ErrCommitUnknown, err)
}
