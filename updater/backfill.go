package updater

import (
	"context"
	"time"

	"go.uber.org/zap"

	"ganeticache/db"
)

const (
	// onceBackfill is how long a one-shot works on rows of earlier versions before it leaves the rest to the next one.
	onceBackfill = 30 * time.Second
	// backfillBusy is how long to leave rows alone that another transaction or process works on.
	backfillBusy = time.Second
	// backfillRetry is how long to wait after an error.
	backfillRetry = time.Minute
)

// backfill brings the rows that earlier versions stored up to date, a batch at a time, until all are or ctx ends. Between
// two batches it leaves the database to the others for as long as a batch took.
func (u *Updater) backfill(ctx context.Context) {
	if u.opts.Backfill == nil || u.opts.DryRun {
		return
	}
	began, total := u.now(), db.BackfillStep{}
	for {
		start := u.now()
		step, err := u.opts.Backfill(ctx)
		if ctx.Err() != nil {
			return
		}
		total.Checked += step.Checked
		total.Changed += step.Changed
		u.metrics.backfilled(step)
		wait := u.now().Sub(start)
		switch {
		case err != nil:
			u.log.Warn("bringing stored rows up to date failed; it is tried again", zap.Duration("after", backfillRetry), zap.Error(err))
			wait = backfillRetry
		case step.Done:
			if total.Checked > 0 {
				u.log.Info("stored rows are up to date", zap.Int64("checked", total.Checked), zap.Int64("changed", total.Changed),
					zap.Duration("took", u.now().Sub(began)))
			}
			return
		case step.Busy:
			wait = backfillBusy
		}
		timer := time.NewTimer(min(max(wait, 0), backfillRetry))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}
