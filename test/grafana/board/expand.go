package board

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Selection is what an operator has chosen: for each variable its values, or none for All.
type Selection map[string][]string

// Frame is the shown time and the distance of its points.
type Frame struct {
	From, To time.Time
	Step     time.Duration
	// Scrape is the interval between two scrapes, which the data source is told.
	Scrape time.Duration
}

var (
	reference = regexp.MustCompile(`\$(?:\{(\w+)(?::(\w+))?\}|(\w+))`)
	timeMacro = regexp.MustCompile(`\$__timeFilter\(([^()]*)\)`)
	promChars = regexp.MustCompile(`[$^*{}\[\]'+?.()|]`)
)

// Expand makes of a query what Grafana sends to the data source. A variable or macro that it does not know is an error.
func (d *Dashboard) Expand(q Query, s Selection, f Frame) (string, error) {
	text := q.Text
	if q.Language == SQL {
		text = timeMacro.ReplaceAllString(text, fmt.Sprintf("$1 BETWEEN '%s' AND '%s'", f.From.UTC().Format(time.RFC3339), f.To.UTC().Format(time.RFC3339)))
	}
	global := f.globals()
	var unknown []string
	text = reference.ReplaceAllStringFunc(text, func(match string) string {
		m := reference.FindStringSubmatch(match)
		name, format := m[1]+m[3], m[2]
		if value, ok := global[name]; ok && q.Language != SQL {
			return value
		}
		for _, v := range d.Templating.List {
			if v.Name == name {
				if value, ok := v.format(s[name], format, q.Language); ok {
					return value
				}
			}
		}
		unknown = append(unknown, match)
		return match
	})
	if len(unknown) > 0 {
		return "", fmt.Errorf("%s: nothing is known to put in the place of %s", q.Where, strings.Join(unknown, ", "))
	}
	return text, nil
}

// globals are Grafana's own variables, as its data source for Prometheus computes them.
func (f Frame) globals() map[string]string {
	return map[string]string{
		"__interval":      seconds(max(f.Step, f.Scrape)),
		"__rate_interval": seconds(max(f.Step+f.Scrape, 4*f.Scrape)),
		"__range":         seconds(f.To.Sub(f.From)),
	}
}

func seconds(d time.Duration) string {
	return fmt.Sprintf("%ds", int(d.Round(time.Second)/time.Second))
}

// format gives the variable's value in a query. All is its allValue as it stands. In PromQL values are escaped for a
// regular expression in quotes; elsewhere only the format "regex" is sure to be right with several values.
func (v Variable) format(chosen []string, format string, l Language) (string, bool) {
	if len(chosen) == 0 {
		return v.AllValue, v.AllValue != ""
	}
	var escape func(string) string
	switch {
	case l == PromQL && format == "":
		escape = func(s string) string {
			return promChars.ReplaceAllString(strings.ReplaceAll(s, `\`, `\\\\`), `\\$0`)
		}
	case l == SQL && format == "regex":
		escape = regexp.QuoteMeta
	default:
		return "", false
	}
	values := make([]string, 0, len(chosen))
	for _, c := range chosen {
		values = append(values, escape(c))
	}
	if len(values) == 1 {
		return values[0], true
	}
	return "(" + strings.Join(values, "|") + ")", true
}

var labelInLegend = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

// Legend names a result by its labels, as Grafana does. Missing are labels that the format names and the result has not.
func Legend(format string, labels map[string]string) (name string, missing []string) {
	if format == "__auto" || format == "" {
		pairs := make([]string, 0, len(labels))
		for _, k := range slices.Sorted(maps.Keys(labels)) {
			pairs = append(pairs, fmt.Sprintf("%s=%q", k, labels[k]))
		}
		return "{" + strings.Join(pairs, ", ") + "}", nil
	}
	name = labelInLegend.ReplaceAllStringFunc(format, func(match string) string {
		label := labelInLegend.FindStringSubmatch(match)[1]
		value, ok := labels[label]
		if !ok {
			missing = append(missing, label)
		}
		return value
	})
	return name, missing
}

// Unmatched returns the names that a panel's overrides and transformations are for and that are not among names: an
// override for a column of another name changes nothing, and nobody notices.
func (p Panel) Unmatched(names []string) []string {
	var unmatched []string
	shown := slices.Clone(names)
	for _, t := range p.Transformations {
		for _, from := range append(slices.Sorted(maps.Keys(t.Options.Exclude)), slices.Sorted(maps.Keys(t.Options.Rename))...) {
			if !slices.Contains(names, from) {
				unmatched = append(unmatched, from)
			}
		}
		for i, name := range shown {
			if to := t.Options.Rename[name]; to != "" {
				shown[i] = to
			}
		}
		shown = slices.DeleteFunc(shown, func(name string) bool { return t.Options.Exclude[name] })
	}
	for _, o := range p.FieldConfig.Overrides {
		matches := func(name string) bool { return name == o.Matcher.Options }
		if o.Matcher.ID == "byRegexp" {
			re := regexp.MustCompile(strings.Trim(o.Matcher.Options, "/"))
			matches = re.MatchString
		}
		if !slices.ContainsFunc(shown, matches) {
			unmatched = append(unmatched, o.Matcher.Options)
		}
	}
	return unmatched
}
