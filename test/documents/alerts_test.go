package documents_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	alertRule    = regexp.MustCompile(`(?m)^ +- alert: (\w+)$`)
	alertRunbook = regexp.MustCompile(`(?m)^ +runbook: (\S+)$`)
	alertSection = regexp.MustCompile(`(?m)^### (\w+)$`)
)

func matches(expression *regexp.Regexp, text string) []string {
	var found []string
	for _, match := range expression.FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return found
}

// Every alert has its section in docs/operate.md and leads there, and no section is of an alert that is gone.
func TestAlerts(t *testing.T) {
	t.Parallel()
	rules := read(t, "deploy/prometheus/rules.yml")
	_, document, _ := strings.Cut(read(t, "docs/operate.md"), "\n## Alerts\n")
	document, _, found := strings.Cut(document, "\n## ")
	if !found {
		t.Fatal("docs/operate.md has no section Alerts")
	}
	alerts, sections := matches(alertRule, rules), matches(alertSection, document)
	if len(alerts) < 9 {
		t.Fatalf("only %d alerts were found", len(alerts))
	}
	var runbooks []string
	for _, alert := range alerts {
		runbooks = append(runbooks, "docs/operate.md#"+strings.ToLower(alert))
		if !slices.Contains(sections, alert) {
			t.Errorf("docs/operate.md has no section for %s", alert)
		}
	}
	if got := matches(alertRunbook, rules); !slices.Equal(got, runbooks) {
		t.Errorf("the annotations runbook are %q, want one for each alert: %q", got, runbooks)
	}
	for _, section := range sections {
		if !slices.Contains(alerts, section) {
			t.Errorf("docs/operate.md has a section for %s, which is no alert", section)
		}
	}
}
