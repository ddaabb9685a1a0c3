package updater

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"ganeticache/db"
)

// metrics are what a Prometheus server sees of the refreshes. Labels are clusters, kinds, operations and reasons, never
// a VM: the number of series is bounded by the configuration.
type metrics struct {
	refreshes   *family
	failures    *family
	duration    *prometheus.HistogramVec
	lastSuccess *family
	objects     *family
	changes     *family
	quarantined *family
	requests    *family
	rapiBytes   *family
	rapiSeconds *family
	withheld    *family
	interval    *family
	busyRatio   *family
	trips       *family
	phase       *family
	expiry      *family

	places     *prometheus.GaugeVec
	probes     *prometheus.CounterVec
	crowded    prometheus.Counter
	databaseUp prometheus.Gauge
	leases     prometheus.Gauge
	replicas   prometheus.Gauge
	takeovers  prometheus.Counter

	clockOffset     prometheus.Gauge
	clockSteps      *prometheus.CounterVec
	clockImpossible prometheus.Counter
	clockStamps     *family

	backfillDone                     prometheus.Gauge
	backfillChecked, backfillChanged prometheus.Counter
}

// newMetrics makes the metrics and registers them; reg may be nil.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *family {
		return newFamily(prometheus.CounterValue, name, help, labels...)
	}
	gauge := func(name, help string, labels ...string) *family {
		return newFamily(prometheus.GaugeValue, name, help, labels...)
	}
	single := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "ganeti_updater_" + name, Help: help})
	}
	m := &metrics{
		refreshes: counter("refreshes_total", "Refreshes by cluster and result (success, failure).", "result"),
		failures:  counter("failures_total", "Failed kinds of refreshes by cluster, kind and reason.", "kind", "reason"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ganeti_updater_refresh_duration_seconds",
			Help: "Time that the refresh of a cluster took, all kinds together.",
			// A small cluster answers in 0.1 s, a hung one holds a refresh for minutes.
			Buckets: prometheus.ExponentialBuckets(0.05, 2, 13),
		}, []string{"cluster"}),
		lastSuccess: gauge("last_success_timestamp_seconds", "Start of the newest complete answer by cluster and kind, in Unix time.", "kind"),
		objects:     gauge("objects", "Objects in the newest complete answer by cluster and kind.", "kind"),
		changes:     counter("changes_total", "Changes applied by cluster, kind and operation.", "kind", "op"),
		quarantined: counter("quarantined_total", "Items that could not be parsed, by cluster and kind.", "kind"),
		requests:    counter("rapi_requests_total", "Requests to RAPI by cluster, kind and result (success, failure).", "kind", "result"),
		rapiBytes:   counter("rapi_bytes_total", "Bytes of complete RAPI answers by cluster and kind, those for readers of the API included.", "kind"),
		rapiSeconds: counter("rapi_seconds_total", "Seconds spent waiting for and reading RAPI answers by cluster and kind, failed requests included.", "kind"),
		withheld:    gauge("removals_withheld", "Objects that the newest complete answer lacks and that are kept all the same, by cluster and kind.", "kind"),
		interval:    gauge("refresh_interval_seconds", "Time between two scheduled refreshes of a cluster: the schedule's, or longer where refresh_budget stretches it."),
		busyRatio:   gauge("rapi_busy_ratio", "Share of time that scheduled refreshes keep a cluster's RAPI busy, at the present interval."),
		trips:       counter("guard_trips_total", "Complete answers whose removals were withheld, by cluster and kind.", "kind"),
		phase:       counter("refresh_phase_seconds_total", "Seconds of refreshes by cluster and phase: wait for a turn, rapi, apply (compare and write).", "phase"),
		expiry:      gauge("rapi_certificate_expiry_timestamp_seconds", "End of validity of the certificate that RAPI showed last, by cluster, in Unix time."),
		places: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ganeti_updater_places",
			Help: "Refreshes and readers' questions under way, by whose they are (scheduled, doubtful, readers) and state (working, waiting).",
		}, []string{"class", "state"}),
		probes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ganeti_updater_probes_total",
			Help: "Probes of clusters that failed last time, by result (answered, patient, given_up).",
		}, []string{"result"}),
		crowded: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ganeti_updater_readers_given_up_total",
			Help: "Requests of readers that were given up because too many readers wait for clusters that do not answer.",
		}),
		databaseUp:  single("database_up", "Whether the database answered the last heartbeat."),
		clockOffset: single("clock_offset_seconds", "This machine's clock less the database's, at the last heartbeat."),
		clockSteps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ganeti_updater_clock_steps_total", Help: "Times that a clock was set by more than 2 s while the updater ran, by clock (process, database).",
		}, []string{"clock"}),
		clockImpossible: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ganeti_updater_clock_impossible_total", Help: "Times found on record that cannot be: later than now, or than the schedule allows.",
		}),
		clockStamps: gauge("clock_impossible", "Times on record of a cluster that cannot be, at the last look."),
		leases:      single("leases_held", "Clusters that this updater refreshes on schedule."),
		replicas:    single("replicas", "Updaters on this database that are heard of, this one included."),
		takeovers: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ganeti_updater_lease_takeovers_total", Help: "Clusters taken over from updaters that were not heard of any more.",
		}),
		backfillDone: single("backfill_done", "Whether the rows that earlier versions stored are brought up to date."),
		backfillChecked: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ganeti_updater_backfill_checked_total", Help: "Stored rows that were compared with what this version would store.",
		}),
		backfillChanged: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ganeti_updater_backfill_changed_total", Help: "Stored rows that were brought up to what this version stores.",
		}),
	}
	// An alert may look for the absence of each.
	for _, result := range []string{"answered", "patient", "given_up"} {
		m.probes.WithLabelValues(result)
	}
	for _, whose := range []string{"process", "database"} {
		m.clockSteps.WithLabelValues(whose)
	}
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range m.collectors() {
		errs = append(errs, reg.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	return m, nil
}

// families are the metrics that have a series for each cluster; duration is the one beside them.
func (m *metrics) families() []*family {
	return []*family{
		m.refreshes, m.failures, m.lastSuccess, m.objects, m.changes, m.quarantined, m.requests, m.rapiBytes, m.rapiSeconds,
		m.withheld, m.interval, m.busyRatio, m.trips, m.phase, m.expiry, m.clockStamps,
	}
}

func (m *metrics) collectors() []prometheus.Collector {
	all := []prometheus.Collector{
		m.duration, m.places, m.probes, m.crowded, m.databaseUp, m.leases, m.replicas, m.takeovers,
		m.clockOffset, m.clockSteps, m.clockImpossible, m.backfillDone, m.backfillChecked, m.backfillChanged,
	}
	for _, f := range m.families() {
		all = append(all, f)
	}
	return all
}

// impossible shows how many times on record of a cluster cannot be.
func (m *metrics) impossible(cluster string, n int) { m.clockStamps.set(float64(n), cluster) }

// backfilled counts one batch of rows of earlier versions.
func (m *metrics) backfilled(step db.BackfillStep) {
	m.backfillChecked.Add(float64(step.Checked))
	m.backfillChanged.Add(float64(step.Changed))
	if step.Done {
		m.backfillDone.Set(1)
	}
}

// share counts one heartbeat.
func (m *metrics) share(s db.Shares) {
	m.databaseUp.Set(1)
	m.leases.Set(float64(len(s.Leases)))
	m.replicas.Set(float64(s.Replicas))
	m.takeovers.Add(float64(s.TakenOver))
}

// observe counts one refresh. Both results exist from the first one on, so that an alert may look for their absence.
func (m *metrics) observe(r Result) {
	if err := r.Err(); len(r.Kinds) == 0 || err != nil && nobodysTrouble(err) {
		return
	}
	succeeded, failed := 1.0, 0.0
	if r.Err() != nil {
		succeeded, failed = 0, 1
	}
	m.refreshes.add(succeeded, r.Cluster, "success")
	m.refreshes.add(failed, r.Cluster, "failure")
	m.duration.WithLabelValues(r.Cluster).Observe(r.Duration.Seconds())
	for _, k := range r.Kinds {
		m.observeKind(r, k)
	}
}

func (m *metrics) observeKind(r Result, k KindResult) {
	kind := string(k.Kind)
	m.trips.add(0, r.Cluster, kind)
	if withheld, ok := errors.AsType[*WithheldError](k.Err); ok {
		m.withheld.set(float64(withheld.Absent), r.Cluster, kind)
		m.trips.add(1, r.Cluster, kind)
	} else if k.Err == nil && k.Kind != db.KindCluster {
		m.withheld.set(0, r.Cluster, kind)
	}
	if k.Err != nil {
		m.failures.add(1, r.Cluster, kind, Reason(k.Err))
	} else {
		m.refreshed(r.Cluster, k.Kind, r.StartedAt)
		m.objects.set(float64(k.Objects), r.Cluster, kind)
	}
	m.quarantined.add(float64(k.Outcome.Quarantined), r.Cluster, kind)
	for op, n := range map[db.Op]int{
		db.OpCreated:  k.Outcome.Created,
		db.OpUpdated:  k.Outcome.Updated,
		db.OpRenamed:  k.Outcome.Renamed,
		db.OpRemoved:  k.Outcome.Removed,
		db.OpRestored: k.Outcome.Restored,
	} {
		// Thirty series of a cluster most of which never count: a thousand clusters would make a scrape half as long again.
		if n > 0 {
			m.changes.add(float64(n), r.Cluster, kind, string(op))
		}
	}
}

// forget drops the series of a cluster that this process no longer refreshes.
func (m *metrics) forget(cluster string) {
	m.duration.DeleteLabelValues(cluster)
	for _, f := range m.families() {
		f.forget(cluster)
	}
}
