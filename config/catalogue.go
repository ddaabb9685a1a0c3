package config

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// envPrefix begins every variable that this package reads.
const envPrefix = "UPDATER_"

// catalogue is the table of keys, arranged for look-ups. It is built once per Load and then only read.
type catalogue struct {
	list     []Key
	byPath   map[string]Key    // by the path of the table, "clusters[].rapi"
	byEnv    map[string]string // UPDATER_LOG_LEVEL → "log.level", without the keys of clusters
	byFlag   map[string]string // "log-level" → "log.level", likewise
	children map[string][]string

	// The keys that describe one cluster: "UPDATER_RAPI_NAME" and "rapi-name" → "clusters.0.name", and back to
	// "--rapi-name (or UPDATER_RAPI_NAME)".
	byShortEnv, byShortFlag, shortNames map[string]string
}

func newCatalogue() *catalogue {
	c := &catalogue{
		list: keys(), byPath: map[string]Key{}, byEnv: map[string]string{}, byFlag: map[string]string{},
		children:   map[string][]string{},
		byShortEnv: map[string]string{}, byShortFlag: map[string]string{}, shortNames: map[string]string{},
	}
	for _, k := range c.list {
		c.byPath[k.Path] = k
		c.addChildren(k.Path)
		if !strings.HasPrefix(k.Path, clustersPrefix) {
			c.byEnv[k.Env()] = k.Path
			c.byFlag[flagName(k.Path)] = k.Path
		}
	}
	// The command line's name for it is shorter.
	c.byFlag["database"] = "database_url"
	for _, s := range shorthands() {
		variable, flag, path := envPrefix+envName(s.name), flagName(s.name), "clusters.0."+s.target
		c.byShortEnv[variable], c.byShortFlag[flag] = path, path
		c.shortNames[path] = "--" + flag + " (or " + variable + ")"
	}
	return c
}

// addChildren notes each step of path below the one before it: "" → "timeouts", "timeouts" → "first_byte".
func (c *catalogue) addChildren(path string) {
	parent := ""
	for step := range strings.SplitSeq(path, ".") {
		if !slices.Contains(c.children[parent], step) {
			c.children[parent] = append(c.children[parent], step)
		}
		parent = join(parent, step)
	}
}

// section reports whether path is a section of the table, and not a key.
func (c *catalogue) section(path string) bool { return len(c.children[path]) > 0 }

// key finds the entry of a path that may name a cluster by its number: "clusters.0.rapi".
func (c *catalogue) key(path string) (Key, bool) {
	k, found := c.byPath[clusterNumber.ReplaceAllString(path, clustersPrefix)]
	return k, found
}

var clusterNumber = regexp.MustCompile(`^clusters\.\d+\.`)

// envPath finds the path that a variable sets, those of clusters ("UPDATER_CLUSTERS_0_RAPI") included.
func (c *catalogue) envPath(variable string) (string, bool) {
	if path, found := c.byEnv[variable]; found {
		return path, true
	}
	rest, found := strings.CutPrefix(variable, envPrefix+"CLUSTERS_")
	if !found {
		return "", false
	}
	number, name, _ := strings.Cut(rest, "_")
	if n, err := strconv.Atoi(number); err != nil || strconv.Itoa(n) != number || n < 0 {
		return "", false
	}
	for _, k := range c.list {
		tail, found := strings.CutPrefix(k.Path, clustersPrefix)
		if found && envName(tail) == name {
			return "clusters." + number + "." + tail, true
		}
	}
	return "", false
}

// envNames returns every variable, for messages.
func (c *catalogue) envNames() []string {
	names := []string{"UPDATER_CONFIG", passwordVariable}
	for _, k := range c.list {
		names = append(names, strings.Replace(k.Env(), "<N>", "0", 1))
	}
	for name := range c.byShortEnv {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func envName(path string) string { return strings.ToUpper(strings.ReplaceAll(path, ".", "_")) }

func flagName(path string) string { return strings.NewReplacer(".", "-", "_", "-").Replace(path) }

// nearestKey finds the key that was probably meant by name in the section parent: one of that section if any is close,
// else one of the same name elsewhere, else the closest of the section.
func (c *catalogue) nearestKey(parent, name string) string {
	near, distance := nearest(name, c.children[parent])
	if distance > closeEnough(name) {
		for _, k := range c.list {
			if strings.HasSuffix("."+k.Path, "."+name) {
				return k.Path
			}
		}
	}
	return join(parent, near)
}

// closeEnough is the distance up to which a name is taken for a misspelling.
func closeEnough(name string) int { return max(1, len(name)/3) }

// nearest returns the candidate closest to name and its distance. A candidate that contains the name as one of its
// words ("pin" in "pin_sha256") is closer than any misspelling by more than one letter.
func nearest(name string, candidates []string) (best string, distance int) {
	plain := func(s string) string { return strings.NewReplacer("-", "_", "[]", "").Replace(strings.ToLower(s)) }
	distance = -1
	for _, candidate := range candidates {
		a, b := plain(name), plain(candidate)
		d := levenshtein.ComputeDistance(a, b)
		if d > 1 && a != "" && strings.Contains("_"+b+"_", "_"+a+"_") {
			d = 1
		}
		if distance < 0 || d < distance {
			best, distance = candidate, d
		}
	}
	return strings.TrimSuffix(best, "[]"), distance
}

// join puts a step below a path.
func join(path, step string) string {
	if path == "" {
		return step
	}
	return path + "." + step
}
