package updater

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ganeticache/db"
)

// asked counts one request to RAPI.
func (m *metrics) asked(cluster string, k db.Kind, result string, took time.Duration, bytes int64) {
	m.requests.WithLabelValues(cluster, string(k), result).Inc()
	m.rapiSeconds.WithLabelValues(cluster, string(k)).Add(took.Seconds())
	m.rapiBytes.WithLabelValues(cluster, string(k)).Add(float64(bytes))
}

// pace shows how often a cluster is refreshed.
func (m *metrics) pace(cluster string, p Pace) {
	m.interval.WithLabelValues(cluster).Set(p.Interval.Seconds())
	m.busyRatio.WithLabelValues(cluster).Set(p.Busy.Seconds() / p.Interval.Seconds())
}

// certificate shows until when RAPI's certificate is valid; the zero time says that none was seen.
func (m *metrics) certificate(cluster string, expires time.Time) {
	if !expires.IsZero() {
		m.expiry.WithLabelValues(cluster).Set(float64(expires.Unix()))
	}
}

// refreshed shows as of when a kind is true.
func (m *metrics) refreshed(cluster string, k db.Kind, at time.Time) {
	m.lastSuccess.WithLabelValues(cluster, string(k)).Set(float64(at.UnixMilli()) / 1000)
}

// phases says where the time of a refresh went that was asked for at the given time.
func (m *metrics) phases(r *run, asked time.Time) {
	if len(r.res.Kinds) == 0 {
		return
	}
	var rapi time.Duration
	if r.src != nil {
		rapi = r.src.spent
	}
	for phase, took := range map[string]time.Duration{
		"wait": r.res.StartedAt.Sub(asked), "rapi": rapi, "apply": r.res.Duration - rapi,
	} {
		m.phase.WithLabelValues(r.res.Cluster, phase).Add(max(0, took).Seconds())
	}
}

// forgetKinds drops the age and the number of objects of kinds that a cluster's schedules no longer name.
func (m *metrics) forgetKinds(cluster string, p plan) {
	for _, k := range kinds() {
		if _, scheduled := p.kinds[k.name]; scheduled {
			continue
		}
		label := prometheus.Labels{"cluster": cluster, "kind": string(k.name)}
		m.lastSuccess.Delete(label)
		m.objects.Delete(label)
	}
}
