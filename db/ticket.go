package db

import (
	"context"
	"fmt"
	"time"
)

// Ticket is the place of a request to RAPI in the order of all of them. It is drawn before the request is sent, from the
// one database that all processes share: of two observations, that of the greater number is newer. No clock decides that.
type Ticket struct {
	// Number grows with each ticket; 0 is that of rows from before there were tickets.
	Number int64 `db:"number"`
	// At is when it was drawn by the database's clock, for people to read; zero on SQLite, which has no clock of its own.
	At time.Time `db:"at"`
}

// Ticket draws the next one: one short round trip. The sequence survives restarts, and goes with a back-up.
func (s *Store) Ticket(ctx context.Context) (Ticket, error) {
	var t struct {
		Number int64      `db:"number"`
		At     *time.Time `db:"at"`
	}
	err := s.retry(ctx, func() error { return s.writer.GetContext(ctx, &t, s.d.drawTicket) })
	if err != nil {
		return Ticket{}, fmt.Errorf("drawing a ticket for a request: %w", err)
	}
	drawn := Ticket{Number: t.Number}
	if t.At != nil {
		drawn.At = cleanTime(*t.At)
	}
	return drawn, nil
}

// Clock gives the time of the database's clock; the zero time on SQLite, which has none of its own.
func (s *Store) Clock(ctx context.Context) (time.Time, error) {
	if s.d.readClock == "" {
		return time.Time{}, nil
	}
	var at time.Time
	if err := s.reader.GetContext(ctx, &at, s.d.readClock); err != nil {
		return at, fmt.Errorf("reading the database's clock: %w", err)
	}
	return cleanTime(at), nil
}

// selectLastTicket gives the greatest number that was drawn. On PostgreSQL it reads the sequence itself.
const selectLastTicket = "SELECT last_value FROM request_tickets"

// newer says whether something on record with that ticket is newer than the snapshot. A ticket that nobody has drawn yet,
// of a row that was written by hand or outlived a restored counter, is not: otherwise it would be newest for good.
func (a *applier) newer(ctx context.Context, ticket int64) (bool, error) {
	if ticket <= a.snap.Ticket {
		return false, nil
	}
	if ticket <= a.drawn {
		return true, nil
	}
	var reader querier = a.x
	if a.reader != nil {
		reader = a.reader
	}
	rows, err := reader.QueryContext(ctx, selectLastTicket)
	if err != nil {
		return false, fmt.Errorf("reading the last ticket: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&a.drawn); err != nil {
			return false, fmt.Errorf("reading the last ticket: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return false, fmt.Errorf("reading the last ticket: %w", err)
	}
	return ticket <= a.drawn, nil
}

// notNewer is the same as a condition: a ticket on record is not newer than another, or nobody has drawn it yet.
func notNewer(ticket, than string) string {
	return "(" + ticket + " <= " + than + " OR " + ticket + " > (" + selectLastTicket + "))"
}

// CorrectTimes gives the rows of a kind that are said to be observed, or removed, later than at the time at: that of a
// complete answer, which has told of all of them. They were written by a clock that was wrong. It returns their number.
func (s *Store) CorrectTimes(ctx context.Context, clusterID int64, k Kind, at time.Time) (int64, error) {
	at = cleanTime(at)
	const slack = 2 * time.Second
	queries := []string{"UPDATE clusters SET observed_at = ? WHERE id = ? AND observed_at > ?"}
	if k != KindCluster {
		t, err := s.tableOf(k)
		if err != nil {
			return 0, err
		}
		queries = []string{
			"UPDATE " + t.name + " SET observed_at = ? WHERE cluster_id = ? AND observed_at > ?",
			"UPDATE " + t.name + " SET deleted_at = ? WHERE cluster_id = ? AND deleted_at > ?",
		}
	}
	var corrected int64
	for _, query := range queries {
		result, err := s.writer.ExecContext(ctx, s.writer.Rebind(query), at, clusterID, at.Add(slack))
		if err != nil {
			return corrected, fmt.Errorf("correcting times of kind %s of cluster %d: %w", k, clusterID, err)
		}
		n, err := result.RowsAffected()
		if err != nil {
			return corrected, fmt.Errorf("counting corrected times: %w", err)
		}
		corrected += n
	}
	return corrected, nil
}
