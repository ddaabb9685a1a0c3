package db_test

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

func state(code string) error { return &pq.Error{Code: pqerror.Code(code), Message: "so it is"} }

func TestTroubleOf(t *testing.T) {
	t.Parallel()
	dial := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for _, c := range []struct {
		name string
		err  error
		want db.Trouble
	}{
		{"nil", nil, db.TroubleNone},
		{"conflict of generations", db.ErrConflict, db.TroubleNone},
		{"not found", db.ErrNotFound, db.TroubleNone},
		{"disabled", db.ErrDisabled, db.TroubleNone},
		{"anything", errors.New("a bug"), db.TroubleNone},
		{"told to stop", errors.Join(context.Canceled, state("57014")), db.TroubleNone},

		{"refused", dial, db.TroubleUnavailable},
		{"reset", &net.OpError{Op: "read", Err: syscall.ECONNRESET}, db.TroubleUnavailable},
		{"broken pipe", &net.OpError{Op: "write", Err: syscall.EPIPE}, db.TroubleUnavailable},
		{"silence", &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, db.TroubleUnavailable},
		{"no such host", &net.DNSError{Err: "no such host", Name: "db"}, db.TroubleUnavailable},
		{"out of time", context.DeadlineExceeded, db.TroubleUnavailable},
		{"bad connection", driver.ErrBadConn, db.TroubleUnavailable},
		{"end", io.EOF, db.TroubleUnavailable},
		{"cut", io.ErrUnexpectedEOF, db.TroubleUnavailable},
		{"commit without an answer", db.ErrCommitUnknown, db.TroubleUnavailable},
		{"connection exception", state("08006"), db.TroubleUnavailable},
		{"shutting down", state("57P01"), db.TroubleUnavailable},
		{"crashed", state("57P02"), db.TroubleUnavailable},
		{"starting up", state("57P03"), db.TroubleUnavailable},
		{"too many connections", state("53300"), db.TroubleUnavailable},
		{"idle in a transaction", state("25P03"), db.TroubleUnavailable},

		{"read-only", state("25006"), db.TroubleReadOnly},
		{"no primary", errors.New("pq: could not connect:\nconnecting to b:5432: server is in hot standby mode"), db.TroubleReadOnly},
		{"one standby, one away", errors.Join(dial, errors.New("server is in hot standby mode")), db.TroubleUnavailable},

		{"disk full", state("53100"), db.TroubleFull},
		{"no space", &os.PathError{Err: syscall.ENOSPC}, db.TroubleFull},
		{"memory", state("53200"), db.TroubleMemory},
		{"no right", state("42501"), db.TroublePermission},
		{"wrong password", state("28P01"), db.TroublePermission},
		{"pg_hba", state("28000"), db.TroublePermission},
		{"no TLS", pq.ErrSSLNotSupported, db.TroublePermission},
		{"certificate", &tls.CertificateVerificationError{Err: errors.New("unknown authority")}, db.TroublePermission},

		{"no table", state("42P01"), db.TroubleSchema},
		{"no column", state("42703"), db.TroubleSchema},
		{"no schema", state("3F000"), db.TroubleSchema},
		{"no database", state("3D000"), db.TroubleSchema},
		{"schema missing", db.ErrSchemaMissing, db.TroubleSchema},
		{"schema old", db.ErrSchemaOld, db.TroubleSchema},
		{"schema newer", db.ErrSchemaNewer, db.TroubleSchema},

		{"lock", state("55P03"), db.TroubleLocked},
		{"statement time-out", state("57014"), db.TroubleLocked},
		{"serialization", state("40001"), db.TroubleConflict},
		{"deadlock", state("40P01"), db.TroubleConflict},
		{"page", state("XX001"), db.TroubleCorrupt},
		{"index", state("XX002"), db.TroubleCorrupt},
		{"defect", state("XX000"), db.TroubleOther},
		{"constraint", state("23505"), db.TroubleOther},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, err := range []error{c.err, fmt.Errorf("applying: %w", c.err)} {
				if c.err == nil {
					err = nil
				}
				if got := db.TroubleOf(err); got != c.want {
					t.Errorf("%v is %q, want %q", err, got, c.want)
				}
			}
		})
	}
}

// Whatever goes wrong, the error that comes out says what to do, once, and still is what went wrong.
func TestStore_Advice(t *testing.T) {
	t.Parallel()
	s := dbtest.Postgres(t)
	for _, code := range []string{"08006", "25006", "53100", "53200", "42501", "28P01", "42P01", "55P03", "40001", "XX001", "XX000", "25P03"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			cause := state(code)
			err := s.Retry(t.Context(), func() error { return fmt.Errorf("writing: %w", cause) })
			if !errors.Is(err, cause) || db.TroubleOf(err) != db.TroubleOf(cause) {
				t.Errorf("%v hides its cause", err)
			}
			again := s.Retry(t.Context(), func() error { return fmt.Errorf("outer: %w", err) })
			if n := strings.Count(again.Error(), "("); n != 2 { // the code and the advice
				t.Errorf("%d remarks in %q", n, again)
			}
			if strings.Contains(again.Error(), "\n") {
				t.Errorf("%q has several lines", again)
			}
		})
	}
	if err := s.Retry(t.Context(), func() error { return db.ErrConflict }); err.Error() != db.ErrConflict.Error() {
		t.Errorf("no trouble of the database, yet: %v", err)
	}
}

// checkUsable fails unless the store works and no connection is taken.
func checkUsable(t *testing.T, s *db.Store, clusterID int64) {
	t.Helper()
	generation := must(s.Fingerprints(t.Context(), clusterID, db.KindVM))(t).Generation
	if out := apply(t, s, snapshot(clusterID, generation, 7, int(generation)+100)); out.RowsWritten != 7 || out.Generation != generation+1 {
		t.Errorf("afterwards: %+v", out)
	}
	if n := s.DB().Stats().InUse + s.Writer().Stats().InUse; n != 0 {
		t.Errorf("%d connections are still taken", n)
	}
}

// contents is every row of every table that Apply writes.
func contents(t *testing.T, s *db.Store) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, table := range []string{"clusters", "virtual_machines", "freshness", "changes", "permissions", "quarantine"} {
		rows := must(s.DB().QueryxContext(t.Context(), "SELECT * FROM "+table+" ORDER BY 1, 2"))(t) //nolint:sqlclosecheck // closed below
		for rows.Next() {
			all[table] = append(all[table], fmt.Sprint(must(rows.SliceScan())(t)))
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return all
}
