package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"ganeticache/test/trial"
)

// prometheus is a server of the installed program.
type prometheus struct {
	*trial.Program

	url string
	log string
}

// startPrometheus starts a server that scrapes targets and evaluates rules. folder is made.
func startPrometheus(folder, rules string, scrape time.Duration, targets []string) (*prometheus, error) {
	port, err := trial.FreePort()
	if err != nil {
		return nil, err
	}
	if rules, err = filepath.Abs(rules); err != nil {
		return nil, fmt.Errorf("finding the rules: %w", err)
	}
	if err := os.Mkdir(folder, 0o750); err != nil {
		return nil, fmt.Errorf("making Prometheus' folder: %w", err)
	}
	config := fmt.Sprintf("global: {scrape_interval: %s, evaluation_interval: %[1]s}\nrule_files: [%q]\n"+
		"scrape_configs:\n  - {job_name: ganeti-cache-updater, static_configs: [{targets: [%s]}]}\n", scrape, rules, strings.Join(targets, ", "))
	file := filepath.Join(folder, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, fmt.Errorf("writing Prometheus' configuration: %w", err)
	}
	p := &prometheus{url: fmt.Sprintf("http://127.0.0.1:%d/api/v1/", port), log: folder + ".log"}
	p.Program, err = trial.StartProgram(p.log, "prometheus", "--config.file="+file, "--storage.tsdb.path="+filepath.Join(folder, "data"),
		fmt.Sprintf("--web.listen-address=127.0.0.1:%d", port))
	return p, err
}

// series is one time series of an answer.
type series struct {
	labels map[string]string
	values []float64
}

// shows says whether there is something to draw.
func (s series) shows() bool {
	for _, v := range s.values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			return true
		}
	}
	return false
}

// instant asks for one time, now.
func (p *prometheus) instant(ctx context.Context, query string) ([]series, error) {
	return p.query(ctx, "query", url.Values{"query": {query}})
}

// over asks for a range.
func (p *prometheus) over(ctx context.Context, query string, from, to time.Time, step time.Duration) ([]series, error) {
	return p.query(ctx, "query_range", url.Values{
		"query": {query}, "start": {unix(from)}, "end": {unix(to)}, "step": {strconv.FormatFloat(step.Seconds(), 'f', -1, 64)},
	})
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

func (p *prometheus) query(ctx context.Context, path string, form url.Values) ([]series, error) {
	var data struct {
		Type   string `json:"resultType"`
		Result []struct {
			Metric map[string]string `json:"metric"`
			Value  point             `json:"value"`
			Values []point           `json:"values"`
		} `json:"result"`
	}
	if err := p.get(ctx, path, form, &data); err != nil {
		return nil, err
	}
	if data.Type != "vector" && data.Type != "matrix" {
		return nil, fmt.Errorf("the answer is a %s, and no panel shows that", data.Type)
	}
	all := make([]series, 0, len(data.Result))
	for _, r := range data.Result {
		s := series{labels: r.Metric}
		if data.Type == "vector" {
			r.Values = []point{r.Value}
		}
		for _, v := range r.Values {
			s.values = append(s.values, float64(v))
		}
		all = append(all, s)
	}
	return all, nil
}

// labelValues answers label_values(selector, label) of a variable.
func (p *prometheus) labelValues(ctx context.Context, selector, label string) ([]string, error) {
	var values []string
	err := p.get(ctx, "label/"+label+"/values", url.Values{"match[]": {selector}}, &values)
	return values, err
}

// point is [time, "value"].
type point float64

func (p *point) UnmarshalJSON(text []byte) error {
	var pair [2]any
	if err := json.Unmarshal(text, &pair); err != nil {
		return fmt.Errorf("reading a sample: %w", err)
	}
	value, ok := pair[1].(string)
	if !ok {
		return fmt.Errorf("reading a sample: %s", text)
	}
	f, err := strconv.ParseFloat(value, 64)
	*p = point(f)
	return err
}

// errRefused means that Prometheus does not take the query.
var errRefused = errors.New("refused by Prometheus")

func (p *prometheus) get(ctx context.Context, path string, form url.Values, data any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path+"?"+form.Encode(), http.NoBody)
	if err != nil {
		return fmt.Errorf("asking Prometheus: %w", err)
	}
	client := http.Client{Timeout: 2 * time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("asking Prometheus: %w", err)
	}
	defer resp.Body.Close()
	var answer struct {
		Error    string          `json:"error"`
		Warnings []string        `json:"warnings"`
		Data     json.RawMessage `json:"data"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("reading the answer of Prometheus (%s): %w", resp.Status, err)
	}
	if answer.Error != "" || len(answer.Warnings) > 0 {
		return fmt.Errorf("%w: %s %v", errRefused, answer.Error, answer.Warnings)
	}
	if err := json.Unmarshal(answer.Data, data); err != nil {
		return fmt.Errorf("reading the answer of Prometheus: %w", err)
	}
	return nil
}

// until waits until a query has a result.
func (p *prometheus) until(ctx context.Context, query string) error {
	for {
		found, err := p.instant(ctx, query)
		if err == nil && len(found) > 0 {
			return nil
		}
		if errors.Is(err, errRefused) {
			return err
		}
		if !p.Running() {
			return fmt.Errorf("prometheus has ended; see %s", p.log)
		}
		if pause(ctx, 200*time.Millisecond) != nil {
			return fmt.Errorf("waiting for %s: %w", query, ctx.Err())
		}
	}
}
