package main

import (
	"fmt"
	"math"

	"github.com/dustin/go-humanize"
)

// reached is a line of the table of what is to be reached, with what was measured.
type reached struct {
	what, limit string
	// measured is "" where this run did not measure it.
	measured string
	ok       bool
}

func (r reached) verdict() string {
	switch {
	case r.measured == "":
		return "not measured"
	case r.ok:
		return "reached"
	default:
		return "not reached"
	}
}

// The limits that are no ratios to a floor: bytes of write-ahead log of an unchanged cluster, bytes of memory above an
// idle process, and how many times faster than a peer.
const (
	limitWAL  = 10_000
	limitPeak = 32 << 20
	limitPeer = 80.0
)

// reach sets the medians beside the limits.
func (rs results) reach() []reached {
	one, hundred := shape{1, 10_000}, shape{100, 100}
	lines := []reached{
		rs.within(one, caseUnchanged, keyPostgres, keyFloor, "wall", 1.25),
		rs.within(one, caseUnchanged, keyPostgres, keyFloor, "CPU", 1.4),
		rs.within(hundred, caseUnchanged, keyPostgres, keyFloor, "wall", 1.4),
		rs.within(one, caseSome, keyPostgres, keyFloor, "wall", 1.8),
		rs.within(one, caseRestart, keyPostgres, keyFloor, "wall", 2.0),
		rs.within(one, caseFirst, keyPostgres, keyCold, "wall", 1.0),
		rs.within(one, caseAll, keyPostgres, keyCold, "wall", 1.3),
		rs.within(one, caseFirst, keySQLite, keyCold, "wall", 0.6),
	}
	return append(lines, rs.worstWAL(), rs.worstPeak(), rs.againstPeers())
}

// within compares the wall or CPU time of a system with that of a floor.
func (rs results) within(s shape, caseKey, systemKey, floorKey, figure string, limit float64) reached {
	of := map[string]func(cost) float64{
		"wall": func(c cost) float64 { return c.wall.Seconds() },
		"CPU":  func(c cost) float64 { return c.cpu.Seconds() },
	}[figure]
	line := reached{
		what:  fmt.Sprintf("%s, %s, %s, %s", s, titleOf(caseKey), map[string]string{keyPostgres: "PostgreSQL", keySQLite: "SQLite"}[systemKey], figure),
		limit: fmt.Sprintf("%.2f × %s", limit, map[string]string{keyFloor: "bare download", keyCold: `(download + psql \copy)`}[floorKey]),
	}
	mine, ok1 := rs.find(s, caseKey, systemKey)
	base, ok2 := rs.find(s, caseKey, floorKey)
	if !ok1 || !ok2 {
		return line
	}
	ratio := of(mine) / of(base)
	// What is printed with two digits is judged with two.
	line.measured, line.ok = fmt.Sprintf("%.2f ×", ratio), math.Round(ratio*100) <= limit*100
	return line
}

func titleOf(caseKey string) string {
	for _, c := range cases() {
		if c.key == caseKey {
			return c.title
		}
	}
	return caseKey
}

// worstWAL looks at every shape, for each cluster.
func (rs results) worstWAL() reached {
	line := reached{what: "WAL of an unchanged round, any shape", limit: humanize.Bytes(limitWAL) + " for each cluster"}
	worst := int64(-1)
	for _, r := range rs {
		if m, ok := r.median(); ok && r.of.key == caseUnchanged && r.entry.key == keyPostgres {
			worst = max(worst, m.wal/int64(r.shape.clusters))
		}
	}
	if worst >= 0 {
		line.measured, line.ok = humanize.Bytes(uint64(worst)), worst <= limitWAL
	}
	return line
}

// worstPeak looks at every case and shape, on both databases.
func (rs results) worstPeak() reached {
	line := reached{what: "peak memory above an idle process, any case", limit: "32 MiB"}
	worst := int64(-1)
	for _, r := range rs {
		m, ok := r.median()
		if !ok || r.entry.key != keyPostgres && r.entry.key != keySQLite || m.peak <= worst {
			continue
		}
		worst = m.peak
		line.measured = fmt.Sprintf("%s (%s, %s, %s)", mebi(worst), r.entry.title, r.shape, r.of.title)
	}
	line.ok = worst <= limitPeak
	return line
}

// againstPeers takes the fastest of the scripts that people write today.
func (rs results) againstPeers() reached {
	line := reached{what: "1 × 10,000, nothing changed, against the faster Python script", limit: "80 × faster"}
	one := shape{1, 10_000}
	mine, ok := rs.find(one, caseUnchanged, keyPostgres)
	if !ok {
		return line
	}
	fastest := math.Inf(1)
	for _, key := range []string{keyValues, keyRows} {
		if theirs, ok := rs.find(one, caseUnchanged, key); ok {
			fastest = min(fastest, theirs.wall.Seconds()/mine.wall.Seconds())
		}
	}
	if !math.IsInf(fastest, 1) {
		line.measured, line.ok = fmt.Sprintf("%.0f × faster", fastest), fastest >= limitPeer
	}
	return line
}
