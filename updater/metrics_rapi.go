package updater

import (
	"time"

	"ganeticache/db"
)

// asked counts one request to RAPI.
func (m *metrics) asked(cluster string, k db.Kind, result string, took time.Duration, bytes int64) {
	m.requests.add(1, cluster, string(k), result)
	m.rapiSeconds.add(took.Seconds(), cluster, string(k))
	m.rapiBytes.add(float64(bytes), cluster, string(k))
}

// pace shows how often a cluster is refreshed.
func (m *metrics) pace(cluster string, p Pace) {
	m.interval.set(p.Interval.Seconds(), cluster)
	m.busyRatio.set(p.Busy.Seconds()/p.Interval.Seconds(), cluster)
}

// certificate shows until when RAPI's certificate is valid; the zero time says that none was seen.
func (m *metrics) certificate(cluster string, expires time.Time) {
	if !expires.IsZero() {
		m.expiry.set(float64(expires.Unix()), cluster)
	}
}

// refreshed shows as of when a kind is true.
func (m *metrics) refreshed(cluster string, k db.Kind, at time.Time) {
	m.lastSuccess.set(float64(at.UnixMilli())/1000, cluster, string(k))
}

// phases says where the time of a refresh went that was asked for at the given time. It waited for turns that long since it
// began.
func (m *metrics) phases(r *run, asked time.Time, turned time.Duration) {
	if len(r.res.Kinds) == 0 {
		return
	}
	var rapi time.Duration
	if r.src != nil {
		rapi = r.src.spent
	}
	for phase, took := range map[string]time.Duration{
		"wait": r.res.StartedAt.Sub(asked) + turned, "rapi": rapi, "apply": r.res.Duration - rapi - turned,
	} {
		m.phase.add(max(0, took).Seconds(), r.res.Cluster, phase)
	}
}

// forgetKinds drops the age and the number of objects of kinds that a cluster's schedules no longer name.
func (m *metrics) forgetKinds(cluster string, p plan) {
	for _, k := range kinds() {
		if _, scheduled := p.kinds[k.name]; scheduled {
			continue
		}
		m.lastSuccess.drop(cluster, string(k.name))
		m.objects.drop(cluster, string(k.name))
	}
}

// waiting and working count those that are under way in a class.
func (m *metrics) waiting(class string, n float64) { m.places.WithLabelValues(class, "waiting").Add(n) }

func (m *metrics) working(class string, n float64) { m.places.WithLabelValues(class, "working").Add(n) }

// probed counts what became of one that asked until its limit, or answered in time.
func (m *metrics) probed(of class, result string) {
	switch {
	case of.name == "doubtful":
		m.probes.WithLabelValues(result).Inc()
	case result == "given_up":
		m.crowded.Inc()
	}
}
