package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// rapiPort is Ganeti's own.
const rapiPort = "5080"

// rapi is a client of its own: what judges the updater must not share its code.
type rapi struct {
	host     string
	password string
	http     *http.Client
}

// object is a JSON object as RAPI sent it; numbers are json.Number.
type object = map[string]any

func newRAPI(host, pin, password string) *rapi {
	return &rapi{host: host, password: password, http: &http.Client{
		Timeout: 2 * time.Minute, // a stopped luxid is reported after 30 s, and 12 jobs make RAPI slow
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig: &tls.Config{
				MinVersion:         tls.VersionTLS12,
				InsecureSkipVerify: true, //nolint:gosec // the certificate names no host; it is compared below
				VerifyConnection: func(state tls.ConnectionState) error {
					if sum := sha256.Sum256(state.PeerCertificates[0].Raw); hex.EncodeToString(sum[:]) != pin {
						return errors.New("another certificate than RAPI's")
					}
					return nil
				},
			},
		},
	}}
}

// call sends one request as admin and decodes the answer.
func (r *rapi) call(ctx context.Context, method, path string, body, answer any) error {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encoding the body of %s %s: %w", method, path, err)
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "https://"+r.host+":"+rapiPort+path, content)
	if err != nil {
		return fmt.Errorf("making the request %s %s: %w", method, path, err)
	}
	req.SetBasicAuth("admin", r.password)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := r.http.Do(req)
	if err != nil {
		return fmt.Errorf("asking RAPI: %w", err)
	}
	text, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return fmt.Errorf("reading the answer of %s %s: %w", method, path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %.300s", method, path, resp.Status, text)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(answer); err != nil {
		return fmt.Errorf("decoding the answer of %s %s: %w", method, path, err)
	}
	return nil
}

// list asks for all objects of a collection such as /2/instances.
func (r *rapi) list(ctx context.Context, path string) ([]object, error) {
	var items []object
	err := r.call(ctx, http.MethodGet, path+"?bulk=1", nil, &items)
	return items, err
}

// submit sends a write and returns the number of its job.
func (r *rapi) submit(ctx context.Context, method, path string, body any) (string, error) {
	var id json.Number
	err := r.call(ctx, method, path, body, &id)
	return id.String(), err
}

// wait polls a job until it ends; a job that fails is an error.
func (r *rapi) wait(ctx context.Context, id string) error {
	for {
		var job struct {
			Status  string   `json:"status"`
			Summary []string `json:"summary"`
			Result  any      `json:"opresult"`
		}
		if err := r.call(ctx, http.MethodGet, "/2/jobs/"+id, nil, &job); err != nil {
			return err
		}
		switch job.Status {
		case "success":
			return nil
		case "error", "canceled":
			return fmt.Errorf("job %s %s ended with %s: %v", id, strings.Join(job.Summary, " "), job.Status, job.Result)
		}
		if err := pause(ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
}

// waitAll waits for several jobs.
func (r *rapi) waitAll(ctx context.Context, jobs []string) error {
	var errs []error
	for _, id := range jobs {
		errs = append(errs, r.wait(ctx, id))
	}
	return errors.Join(errs...)
}

// change makes a change and waits for its end.
func (r *rapi) change(ctx context.Context, method, path string, body any) error {
	id, err := r.submit(ctx, method, path, body)
	if err != nil {
		return err
	}
	return r.wait(ctx, id)
}

// pause waits between two looks at something that cannot call back.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
