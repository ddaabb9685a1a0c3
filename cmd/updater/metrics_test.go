package main_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ganeticache/api"
	"ganeticache/ganeti/rapisim"
)

// TestMetrics_Document holds docs/metrics.md against what a living updater exports.
func TestMetrics_Document(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([a-z]+) \\| ([a-z_`, ]*)\\| ").FindAllStringSubmatch(string(document), -1) {
		labels := strings.FieldsFunc(row[3], func(r rune) bool { return strings.ContainsRune("`, ", r) })
		slices.Sort(labels)
		documented[row[1]] = row[2] + " " + strings.Join(labels, ",")
	}
	d := startDaemon(t, "")
	d.sim.Hurt(rapisim.Status(http.StatusForbidden).On("/2/nodes")) // the reasons of failures appear with them
	var res api.Refresh
	if d.ask(http.MethodPost, "/v1/clusters/prod/refresh", 200, &res); res.OK {
		t.Errorf("the outcome is %+v, want the nodes to fail", res)
	}
	exported := exported(d.ask(http.MethodGet, "/metrics", 200, nil))
	maps.DeleteFunc(exported, func(name, _ string) bool {
		return strings.HasPrefix(name, "process_") || strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "go_sql_")
	})
	if diff := cmp.Diff(exported, documented); diff != "" {
		t.Errorf("docs/metrics.md differs (-exported +documented):\n%s", diff)
	}
}

// TestMetrics_RulesUseWhatThereIs holds the names in the alerting rules, which would otherwise be silent for ever, against
// the document.
func TestMetrics_RulesUseWhatThereIs(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"rules.yml", "rules_test.yml"} {
		rules, err := os.ReadFile("../../deploy/prometheus/" + file)
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(`ganeti_updater_[a-z_]+`).FindAllString(string(rules), -1)
		if len(names) == 0 {
			t.Errorf("%s names no metric", file)
		}
		for _, name := range names {
			if !strings.Contains(string(document), "| `"+name+"` |") {
				t.Errorf("%s uses %s, which docs/metrics.md does not know", file, name)
			}
		}
	}
}

// exported lists the metrics of an answer: type and labels by name.
func exported(text string) map[string]string {
	metrics := map[string]string{}
	types := regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(text, -1)
	label := regexp.MustCompile(`([a-z_]+)="`)
	for _, m := range types {
		name, kind := m[1], m[2]
		suffix := ""
		if kind == "histogram" {
			suffix = "_sum"
		}
		sample := regexp.MustCompile(`(?m)^` + name + suffix + `(\{.*\})? `).FindStringSubmatch(text)
		var labels []string
		for _, l := range label.FindAllStringSubmatch(sample[1], -1) {
			labels = append(labels, l[1])
		}
		slices.Sort(labels)
		metrics[name] = kind + " " + strings.Join(labels, ",")
	}
	return metrics
}

func TestMetrics_SayHowLongTheCertificateIsValid(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, "")
	text := d.ask(http.MethodGet, "/metrics", 200, nil)
	value := regexp.MustCompile(`(?m)^ganeti_updater_rapi_certificate_expiry_timestamp_seconds\{cluster="prod"\} (\S+)$`).FindStringSubmatch(text)
	if value == nil {
		t.Fatal("no expiry of prod's certificate")
	}
	var seconds float64
	if _, err := fmt.Sscan(value[1], &seconds); err != nil {
		t.Fatal(err)
	}
	if at := time.Unix(int64(seconds), 0); at.Before(time.Now()) {
		t.Errorf("the certificate of a cluster just refreshed expired at %s", at)
	}
}
