package updater

import "time"

// maxBackoff bounds the wait for a failing cluster: one call each quarter of an hour is cheap for the cluster, and soon
// enough for the operator who has just mended it.
const maxBackoff = 15 * time.Minute

// backoff gives the wait after the given number of failures in a row: the interval, doubled with each failure up to
// maxBackoff, and never more often than the schedule itself. Up to a tenth is taken off, by early in [0, 1), so that
// clusters that failed together do not come back together; nothing is added, or the first retry would miss its tick.
func backoff(interval time.Duration, failures int, early float64) time.Duration {
	d := interval
	for i := 1; i < failures && d < maxBackoff; i++ {
		d *= 2
	}
	d = max(min(d, maxBackoff), interval)
	return d - time.Duration(early*float64(d)/10)
}
