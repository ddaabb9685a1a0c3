package updater

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// maxLabels is how many labels a family has at most behind the cluster.
const maxLabels = 2

// family is one metric of all clusters. The client library's vectors hold half a kilobyte for each series, which with a
// thousand clusters is more than all that an updater remembers otherwise; here a series is two strings and a number until
// somebody asks for it. Safe for concurrent use.
type family struct {
	desc      *prometheus.Desc
	valueType prometheus.ValueType
	labels    int // behind the cluster

	mu       sync.Mutex
	clusters map[string][]series
}

// series is the value of a family for one cluster and one set of its labels.
type series struct {
	labels [maxLabels]string
	value  float64
}

// has says whether it is the series of these labels.
func (s *series) has(labels []string) bool { return slices.Equal(s.labels[:len(labels)], labels) }

// newFamily makes a family with these labels behind the cluster.
func newFamily(valueType prometheus.ValueType, name, help string, labels ...string) *family {
	all := append([]string{"cluster"}, labels...)
	return &family{
		desc: prometheus.NewDesc("ganeti_updater_"+name, help, all, nil), valueType: valueType, labels: len(labels),
		clusters: map[string][]series{},
	}
}

// add counts; with 0 the series exists from then on.
func (f *family) add(n float64, cluster string, labels ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at(cluster, labels).value += n
}

// set says what is true now.
func (f *family) set(v float64, cluster string, labels ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at(cluster, labels).value = v
}

// at finds a series, or begins it.
func (f *family) at(cluster string, labels []string) *series {
	all := f.clusters[cluster]
	i := slices.IndexFunc(all, func(s series) bool { return s.has(labels) })
	if i < 0 {
		i = len(all)
		all = append(all, series{})
		copy(all[i].labels[:], labels)
		f.clusters[cluster] = all
	}
	return &all[i]
}

// drop forgets one series.
func (f *family) drop(cluster string, labels ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clusters[cluster] = slices.DeleteFunc(f.clusters[cluster], func(s series) bool { return s.has(labels) })
}

// forget forgets all series of a cluster.
func (f *family) forget(cluster string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.clusters, cluster)
}

// Describe implements prometheus.Collector.
func (f *family) Describe(ch chan<- *prometheus.Desc) { ch <- f.desc }

// Collect implements prometheus.Collector.
func (f *family) Collect(ch chan<- prometheus.Metric) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for cluster, all := range f.clusters {
		for _, s := range all {
			ch <- prometheus.MustNewConstMetric(f.desc, f.valueType, s.value, append([]string{cluster}, s.labels[:f.labels]...)...)
		}
	}
}
