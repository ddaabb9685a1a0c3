package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// passwordVariable names the variable with the password of the one cluster that the environment describes. It has no flag, because
// arguments can be read by every user of the machine.
const passwordVariable = "UPDATER_RAPI_PASSWORD" // #nosec G101 -- a name, not a password

// environment turns os.Environ's list into a map.
func environment(list []string) map[string]string {
	m := map[string]string{}
	for _, e := range list {
		if name, value, found := strings.Cut(e, "="); found {
			m[name] = value
		}
	}
	return m
}

// loadEnvironment puts the variables over the file.
func (l *loader) loadEnvironment() {
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		if strings.HasPrefix(name, envPrefix) {
			l.variable(name, l.env[name])
		}
	}
	// The password itself stays where it is: the cluster only learns the name of its variable.
	if _, set := l.env[passwordVariable]; set {
		if l.fileClusters > 0 || l.numbered {
			l.oddVariables = append(l.oddVariables, passwordVariable)
			return
		}
		at := origin{place: passwordVariable}
		l.single = append(l.single, at)
		const path = "clusters.0.password_env"
		l.values[path], l.origins[path] = passwordVariable, at
	}
}

// variable takes the value of one UPDATER_… variable, if it sets one.
func (l *loader) variable(name, text string) {
	if name == "UPDATER_CONFIG" || name == passwordVariable || kubernetesVariable(name, text) {
		return
	}
	path, found := l.catalogue.envPath(name)
	switch {
	case found && strings.HasPrefix(path, "clusters."):
		l.numbered = true
	case !found:
		if path, found = l.catalogue.byShortEnv[name]; !found {
			l.oddVariables = append(l.oddVariables, name)
			return
		}
		l.single = append(l.single, origin{place: name})
	}
	at := origin{place: name}
	l.origins[path] = at
	k, _ := l.catalogue.key(path)
	value, err := k.parse(text)
	if err != nil {
		l.problems.addf(at, "%v", err)
		return
	}
	l.values[path] = value
}

var kubernetesName = regexp.MustCompile(`^UPDATER_(?:\w+_)?(?:SERVICE_(?:HOST|PORT(?:_\w+)?)|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$`)

var kubernetesAddress = regexp.MustCompile(`^(?:tcp|udp|sctp)://`)

// kubernetesVariable reports whether Kubernetes made the variable: it gives each container the addresses of the
// namespace's Services, and those of one named "updater" or "updater-…" begin like ours.
func kubernetesVariable(name, text string) bool {
	return kubernetesName.MatchString(name) || strings.HasSuffix(name, "_PORT") && kubernetesAddress.MatchString(text)
}

// refuseOddVariables reports the UPDATER_… variables that no key and no cluster's password_env names.
func (l *loader) refuseOddVariables(clusters []Cluster) {
	for _, name := range l.oddVariables {
		if slices.ContainsFunc(clusters, func(c Cluster) bool { return c.PasswordEnv == name }) {
			continue
		}
		at := origin{place: name}
		switch {
		case name == passwordVariable:
			l.problems.addf(at, "belongs to the cluster that UPDATER_RAPI describes, but clusters are listed; "+
				"name the variable with the password_env of one of them, or unset it")
		case strings.HasSuffix(name, "_PASSWORD"):
			l.problems.addf(at, "is not a known variable; name it with the password_env of a cluster, or unset it")
		default:
			near, _ := nearest(name, l.catalogue.envNames())
			l.problems.addf(at, "is not a known variable; did you mean %s?", near)
		}
	}
}
