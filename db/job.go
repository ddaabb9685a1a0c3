package db

import "time"

// Job is a row of jobs. UUID is the job's id as text, Name the first line of its summary.
type Job struct {
	Object
	Status     string     `db:"status" json:"status"`
	Summary    List       `db:"summary" json:"summary"`
	ReceivedAt *time.Time `db:"received_at" json:"received_at"`
	StartedAt  *time.Time `db:"started_at" json:"started_at"`
	EndedAt    *time.Time `db:"ended_at" json:"ended_at"`
}
