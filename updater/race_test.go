//go:build race

package updater_test

// raceDetector slows SQLite, which is Go code, some thirty times; PostgreSQL does not notice.
const raceDetector = true
