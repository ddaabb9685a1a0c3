package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"ganeticache/test/grafana/board"
)

// What a panel can show: more series than that are a tangle, more rows than that nobody scrolls through.
const (
	mostSeries = 100
	mostRows   = 200
)

// crowded asks everything again where there are a thousand clusters, all of them with something wrong.
func (r *rig) crowded(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	metrics, err := fetch(ctx, "http://"+r.replicas[0].Address()+"/metrics")
	if err != nil {
		return err
	}
	for _, u := range r.replicas {
		if err := u.Terminate(); err != nil {
			return err
		}
	}
	if err := r.server.Terminate(); err != nil {
		return err
	}
	if err := r.fillDatabase(ctx); err != nil {
		return err
	}
	address, stop, err := serve(ctx, multiply(metrics, r.crowd))
	if err != nil {
		return err
	}
	defer stop()
	r.server, err = startPrometheus(filepath.Join(r.folder, "prometheus-crowd"), filepath.Join(r.deploy, "prometheus", "rules.yml"), 5*time.Second, []string{address})
	if err != nil {
		return err
	}
	// Two scrapes at least, or there is no rate.
	if err := r.server.until(ctx, fmt.Sprintf(`count(count_over_time(ganeti_updater_refresh_interval_seconds[1m]) > 1) >= %d`, r.crowd)); err != nil {
		return err
	}
	return r.askBriefly(ctx)
}

// askBriefly runs every query with All chosen. None may answer more than a panel shows.
func (r *rig) askBriefly(ctx context.Context) error {
	var long []error
	most := map[board.Language]int{}
	for _, d := range r.boards {
		queries, err := d.Queries()
		if err != nil {
			return err
		}
		for _, q := range queries {
			a, err := r.one(ctx, d, q, board.Selection{})
			if err != nil {
				return fmt.Errorf("%s, with %d clusters: %w\n%s", q.Where, r.crowd, err, q.Text)
			}
			limit := map[board.Language]int{board.PromQL: mostSeries, board.SQL: mostRows, board.LabelValues: r.crowd + clusters}[q.Language]
			most[q.Language] = max(most[q.Language], a.rows)
			if a.rows > limit {
				long = append(long, fmt.Errorf("%s answers %d series or rows, more than %d:\n%s", q.Where, a.rows, limit, q.Text))
			}
		}
	}
	if most[board.LabelValues] < r.crowd || most[board.SQL] < min(mostRows, r.crowd) {
		long = append(long, fmt.Errorf("of %d clusters only %d are seen, and %d rows: this proves nothing", r.crowd, most[board.LabelValues], most[board.SQL]))
	}
	if len(long) == 0 {
		fmt.Fprintf(r.out, "With %d clusters no query gives more than %d series or %d rows.\n", r.crowd, most[board.PromQL], most[board.SQL])
	}
	return errors.Join(long...)
}

// fillDatabase adds clusters that fail, each with a VM that is down, a change, and an item in quarantine.
func (r *rig) fillDatabase(ctx context.Context) (err error) {
	owner, err := r.postgres.Open(1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, owner.Close()) }()
	for _, statement := range []string{
		`INSERT INTO clusters (name) SELECT 'crowd-' || i FROM generate_series(1, $1) i`,
		`INSERT INTO freshness (cluster_id, kind, refreshed_at, error, error_reason) SELECT id, 'vm', now(), 'down', 'unreachable' FROM clusters WHERE name LIKE 'crowd-%' AND $1 > 0`,
		`INSERT INTO virtual_machines (cluster_id, uuid, name, status, info, digest, observed_at)
			SELECT id, 'u', 'vm', 'ERROR_down', '{}', decode(repeat('00', 16), 'hex'), now() FROM clusters WHERE name LIKE 'crowd-%' AND $1 > 0`,
		`INSERT INTO changes (cluster_id, kind, object_id, uuid, name, op, observed_at)
			SELECT id, 'vm', 1, 'u', 'vm', 'created', now() FROM clusters WHERE name LIKE 'crowd-%' AND $1 > 0`,
		`INSERT INTO quarantine (cluster_id, kind, uuid, name, digest, reason, raw, observed_at)
			SELECT id, 'vm', 'u', 'vm', decode(repeat('00', 16), 'hex'), 'bad', '{}', now() FROM clusters WHERE name LIKE 'crowd-%' AND $1 > 0`,
	} {
		if _, err := owner.ExecContext(ctx, statement, r.crowd); err != nil {
			return fmt.Errorf("filling the database: %w", err)
		}
	}
	return nil
}

func fetch(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return "", fmt.Errorf("asking %s: %w", address, err)
	}
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("asking %s: %w", address, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("asking %s: %s %w", address, resp.Status, err)
	}
	return string(text), nil
}

var clusterLabel = regexp.MustCompile(`cluster="([^"]+)"`)

// multiply gives every cluster of a scrape so many copies that there are n clusters.
func multiply(metrics string, n int) string {
	names := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^ganeti_updater_refreshes_total\{cluster="([^"]+)"`).FindAllStringSubmatch(metrics, -1) {
		if _, known := names[m[1]]; !known {
			names[m[1]] = len(names)
		}
	}
	var out strings.Builder
	for line := range strings.Lines(metrics) {
		m := clusterLabel.FindStringSubmatch(line)
		if m == nil {
			out.WriteString(line)
			continue
		}
		first, known := names[m[1]]
		for i := first; known && i < n; i += len(names) {
			out.WriteString(strings.Replace(line, m[0], fmt.Sprintf(`cluster="crowd-%d"`, i), 1))
		}
	}
	return out.String()
}

// serve answers every request with text.
func serve(ctx context.Context, text string) (address string, stop func(), err error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listening: %w", err)
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, err := io.WriteString(w, text); err != nil {
			return // Prometheus went away
		}
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			panic(err) // nothing else ends it
		}
	}()
	return l.Addr().String(), func() {
		if err := server.Close(); err == nil {
			<-done
		}
	}, nil
}
