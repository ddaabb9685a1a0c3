package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"ganeticache/ganeti"
)

// finish turns the stacked layers into a Config and checks what only shows when all are there.
func (l *loader) finish() (*Config, error) {
	c := &Config{flagged: l.flagged, adHoc: l.oneCluster()}
	for _, n := range l.clusterNumbers() {
		c.Clusters = append(c.Clusters, l.cluster(n))
	}
	fill(reflect.ValueOf(c).Elem(), "", l.values)
	if c.SecretKeyFile == "" {
		c.SecretKeyFile = l.credential("secret_key")
	}
	l.fitTimeouts(&c.Timeouts, "")
	l.ganeti("", c.Timeouts.Ganeti().Validate())
	c.Schedules = c.Schedules.resolve("", Schedules{VM: c.Schedule, Node: c.Schedule})
	for i := range c.Clusters {
		cl := &c.Clusters[i]
		cl.Schedules = cl.Schedules.resolve(cl.Schedule, c.Schedules)
		if cl.Schedule == "" {
			cl.Schedule = c.Schedule
		}
		cl.lookup = l.lookup
		l.checkCluster(i, cl)
	}
	l.checkNames(c.Clusters)
	l.checkListen(c)
	l.refuseOddVariables(c.Clusters)
	if err := l.problems.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// lookup finds a variable in the environment that Load was given.
func (l *loader) lookup(name string) (string, bool) {
	value, found := l.env[name]
	return value, found
}

// clusterNumbers returns the numbers of all clusters: those of the file and those that variables add behind them.
func (l *loader) clusterNumbers() []int {
	var numbers []int
	for n := range l.fileClusters {
		numbers = append(numbers, n)
	}
	for path := range l.values {
		rest, found := strings.CutPrefix(path, "clusters.")
		number, _, _ := strings.Cut(rest, ".")
		if n, err := strconv.Atoi(number); found && err == nil && n >= l.fileClusters {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	for i, n := range numbers {
		if i != n {
			l.problems.addf(origin{place: fmt.Sprintf("UPDATER_CLUSTERS_%d_…", n)},
				"leaves a gap: there is no cluster %d; count the clusters from 0 without a gap", i)
			return numbers[:i]
		}
	}
	return numbers
}

// cluster puts one cluster's own keys over what it inherits.
func (l *loader) cluster(n int) Cluster {
	values := map[string]any{}
	for _, k := range l.catalogue.list {
		if value, ok := k.defaultValue(); ok && k.ofCluster() {
			values[strings.TrimPrefix(k.Path, clustersPrefix)] = value
		}
	}
	for _, k := range limitKeys() {
		values[k.Path] = l.values[k.Path]
	}
	var cl Cluster
	fill(reflect.ValueOf(&cl).Elem(), "", values)
	fill(reflect.ValueOf(&cl).Elem(), clusterPath(n, ""), l.values)
	l.fitTimeouts(&cl.Timeouts, clusterPath(n, ""))
	if cl.Name == "" && l.oneCluster() {
		cl.Name = nameOf(cl.RAPI)
	}
	return cl
}

// fill puts values into the fields of a struct whose tags name their paths below prefix, and leaves alone what has none.
func fill(s reflect.Value, prefix string, values map[string]any) {
	for i := range s.NumField() {
		field := s.Type().Field(i)
		path := prefix + field.Tag.Get("key")
		switch value, given := values[path]; {
		case !field.IsExported():
		case s.Field(i).Kind() == reflect.Struct:
			fill(s.Field(i), path+".", values)
		case given:
			s.Field(i).Set(reflect.ValueOf(value).Convert(field.Type))
		}
	}
}

// oneCluster reports whether flags and variables describe the one cluster there is.
func (l *loader) oneCluster() bool { return l.fileClusters == 0 && len(l.single) > 0 }

// nameOf makes a cluster's name of its address, for the one cluster that needs none.
func nameOf(rapi string) string {
	host, _, err := (ganeti.Settings{URL: rapi}).HostPort()
	if err != nil {
		return ""
	}
	if _, err := netip.ParseAddr(host); err == nil {
		host = "rapi-" + strings.ReplaceAll(host, ":", "-")
	}
	if _, err := parseName(host); err != nil {
		return ""
	}
	return host
}

// fitTimeouts shortens the timeouts that nobody has set to the total that somebody has, so that setting the total alone
// is enough.
func (l *loader) fitTimeouts(t *Timeouts, prefix string) {
	standard := ganeti.DefaultTimeouts()
	fit := func(key string, value *time.Duration, standard time.Duration) {
		_, here := l.origins[prefix+"timeouts."+key]
		_, above := l.origins["timeouts."+key]
		if !here && !above {
			*value = min(standard, t.Total)
		}
	}
	fit("connect", &t.Connect, standard.Connect)
	fit("tls_handshake", &t.TLSHandshake, standard.TLSHandshake)
	fit("first_byte", &t.FirstByte, standard.FirstByte)
}

// checkCluster checks what concerns several keys of one cluster, or its files.
func (l *loader) checkCluster(n int, cl *Cluster) {
	given := func(key string) bool { _, ok := l.origins[clusterPath(n, key)]; return ok }
	password := "password_file or password_env"
	if l.oneCluster() {
		password = "--rapi-password-file or " + passwordVariable
	}
	if !given("rapi") {
		l.problems.addf(l.where(n, "rapi"), "is missing; write the cluster's address, such as https://rapi.example.org:5080")
	}
	// A lone cluster is named after its address: without one the name is no second problem.
	if cl.Name == "" && !given("name") && (!l.oneCluster() || cl.RAPI != "") {
		l.problems.addf(l.where(n, "name"), "is missing; give the cluster a name of its own, such as prod")
	}
	switch {
	case given("password_file") && given("password_env"):
		l.problems.addf(l.where(n, "password_env"), "the password comes from a file and from a variable; keep one of the two")
	case given("username") && !given("password_file") && !given("password_env"):
		l.problems.addf(l.where(n, "username"), "has no password with it; add %s", password)
	case !given("username") && (given("password_file") || given("password_env")):
		l.problems.addf(l.where(n, "username"), "is missing, although there is a password; name the RAPI user it belongs to")
	}
	if cl.TLS.CAFile != "" {
		if _, err := os.Stat(cl.TLS.CAFile); err != nil && !errors.Is(err, os.ErrPermission) {
			l.problems.addf(l.where(n, "tls.ca_file"), "%v", explainOpen(cl.TLS.CAFile, err))
		}
	}
	l.ganeti(clusterPath(n, ""), cl.settings().Validate())
}

// checkNames makes sure that no two clusters share a name.
func (l *loader) checkNames(clusters []Cluster) {
	first := map[string]int{}
	for n, cl := range clusters {
		if other, twice := first[cl.Name]; twice && cl.Name != "" {
			l.problems.addf(l.where(n, "name"), "%q is the name of clusters[%d], too; give each cluster a name of its own", cl.Name, other)
			continue
		}
		first[cl.Name] = n
	}
}

// checkListen refuses to show everybody what is cached. A host that is a name shows what it is when it is listened on.
func (l *loader) checkListen(c *Config) {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil || !c.API.Enabled || c.API.TokensFile != "" {
		return
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && !ip.Unmap().IsLoopback() {
		l.problems.addf(l.place("listen"), "%q is reached from other machines, and without tokens the read API answers everybody; "+
			"set api.tokens_file, listen on 127.0.0.1, or switch the read API off with api.enabled: false", c.Listen)
	}
}

// ganeti notes what the client finds wrong: lines of "key: sentence". A key that already has a problem gets no second,
// and a fault that a cluster inherits is not repeated for it.
func (l *loader) ganeti(prefix string, err error) {
	if err == nil {
		return
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		key, sentence, _ := strings.Cut(line, ": ")
		at := l.place(prefix + key)
		if l.problems.has(at) || strings.HasPrefix(key, "timeouts.") && prefix != "" && !l.givenBelow(prefix+"timeouts.") {
			continue
		}
		l.problems.addf(at, "%s", sentence)
	}
}

// givenBelow reports whether any key of a section was given.
func (l *loader) givenBelow(prefix string) bool {
	for path := range l.origins {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

// where is the place of a cluster's key, for messages.
func (l *loader) where(n int, key string) origin { return l.place(clusterPath(n, key)) }

// place is where a path got its value; else where it would be written.
func (l *loader) place(path string) origin {
	if at, found := l.origins[path]; found {
		return at
	}
	if name, found := l.catalogue.shortNames[path]; found && l.oneCluster() {
		return origin{place: name}
	}
	rest, found := strings.CutPrefix(path, "clusters.")
	if !found {
		return origin{place: path}
	}
	number, key, _ := strings.Cut(rest, ".")
	cluster, found := l.origins["clusters."+number]
	if !found {
		cluster = origin{place: "clusters[" + number + "]"}
	}
	cluster.place = join(cluster.place, key)
	return cluster
}

// clusterPath is the path of a cluster's key; with an empty key the prefix of them all.
func clusterPath(n int, key string) string { return fmt.Sprintf("clusters.%d.%s", n, key) }
