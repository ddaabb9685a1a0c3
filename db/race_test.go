//go:build race

package db_test

// raceDetector slows SQLite, which is Go code, some thirty times; PostgreSQL does not notice.
const raceDetector = true
