package config

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
)

// SystemFile is the configuration file that is read, if it exists, when neither --config nor UPDATER_CONFIG names one.
const SystemFile = "/etc/ganeti-cache-updater/config.yaml"

// Options are the sources of a configuration.
type Options struct {
	// File is the value of --config; empty: UPDATER_CONFIG in Env, else SystemFile if it exists. os.DevNull means that
	// no file is to be read, not even SystemFile.
	File string
	// Env is the environment as os.Environ returns it; nil: an empty one. Passwords named by password_env are looked
	// up in it too.
	Env []string
	// Flags are the values given on the command line, by flag name without dashes: every key with its dots and
	// underscores as dashes ("log-level"), "database" for database_url, and the rapi… flags that describe one cluster.
	Flags map[string]string
	// SystemFile replaces the constant of that name, for tests and unusual packages.
	SystemFile string
}

// Load reads and checks the configuration: defaults, then the file, the environment and the flags, each over the one
// before. Its error is an *Error with every problem found.
func Load(o Options) (*Config, error) {
	l := &loader{
		catalogue: newCatalogue(), problems: &problems{}, env: environment(o.Env),
		values: map[string]any{}, origins: map[string]origin{}, flagged: map[string]bool{},
	}
	file, content := l.readFile(o)
	l.layer(l.defaults(), nil)
	if content != nil {
		l.loadFile(file, content)
	}
	l.loadEnvironment()
	l.loadFlags(o.Flags)
	l.refuseMixture(file)
	c, err := l.finish()
	if err != nil {
		return nil, err
	}
	c.File = file
	c.credentials = l.env["CREDENTIALS_DIRECTORY"]
	return c, nil
}

// loader carries one Load.
type loader struct {
	catalogue *catalogue
	problems  *problems
	env       map[string]string
	values    map[string]any    // by path ("clusters.0.rapi"), of the last layer that set it
	origins   map[string]origin // likewise
	flagged   map[string]bool   // paths set by flags

	fileClusters int      // clusters listed in the file
	oddVariables []string // UPDATER_… that are not in the table
	single       []origin // of every flag or variable in use that describes the one cluster
	numbered     bool     // some UPDATER_CLUSTERS_… is set
}

// layer puts values, by path, over what is there.
func (l *loader) layer(values map[string]any, origins map[string]origin) {
	maps.Copy(l.values, values)
	maps.Copy(l.origins, origins)
}

// defaults returns the table's own values. Those of clusters follow when their number is known.
func (l *loader) defaults() map[string]any {
	values := map[string]any{}
	for _, k := range l.catalogue.list {
		if value, ok := k.defaultValue(); ok && !k.ofCluster() {
			values[k.Path] = value
		}
	}
	return values
}

// readFile finds and reads the configuration file; both results are empty when there is none.
func (l *loader) readFile(o Options) (name string, content []byte) {
	name, source := o.File, "--config"
	if name == "" {
		name, source = l.env["UPDATER_CONFIG"], "UPDATER_CONFIG"
	}
	optional := name == ""
	if optional {
		name, source = o.SystemFile, "configuration"
		if name == "" {
			name = SystemFile
		}
	}
	if name == os.DevNull {
		return "", nil
	}
	content, err := readSmall(name, maxFile)
	switch {
	case optional && errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		l.problems.addf(origin{place: source}, "%v", err)
		return name, nil
	}
	return name, content
}

func (l *loader) loadFile(name string, content []byte) {
	f := &fileLayer{
		catalogue: l.catalogue, problems: l.problems, name: name,
		values: map[string]any{}, origins: map[string]origin{},
	}
	f.read(content)
	l.fileClusters = f.clusters
	l.layer(f.values, f.origins)
}

// loadFlags puts the command line over everything.
func (l *loader) loadFlags(flags map[string]string) {
	values, origins := map[string]any{}, map[string]origin{}
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		text, at := flags[name], origin{place: "--" + name}
		path, found := l.catalogue.byFlag[name]
		if !found {
			if path, found = l.catalogue.byShortFlag[name]; !found {
				l.problems.addf(at, "is not a flag of the configuration")
				continue
			}
			l.single = append(l.single, at)
		}
		l.flagged[path] = true
		origins[path] = at
		k, _ := l.catalogue.key(path)
		value, err := k.parse(text)
		if err != nil {
			l.problems.addf(at, "%v", err)
			continue
		}
		values[path] = value
	}
	l.layer(values, origins)
}

// refuseMixture makes an error of a cluster described by flags or variables beside a list of clusters: nobody can say
// which cluster such a flag is about.
func (l *loader) refuseMixture(file string) {
	for _, at := range l.single {
		switch {
		case l.fileClusters > 0:
			l.problems.addf(at, "describes one cluster, but %s lists clusters; remove this, or give --config %s to leave the file unread",
				file, os.DevNull)
		case l.numbered:
			l.problems.addf(at, "describes one cluster, but UPDATER_CLUSTERS_… lists clusters; keep one of the two")
		default:
			continue
		}
		return
	}
}
