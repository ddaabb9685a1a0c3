package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// output is an answer with its headers.
type output[T any] struct {
	Status       int
	ETag         string `header:"ETag" doc:"Changes when the answer does, its age aside"`
	Age          string `header:"Age" doc:"The age of the data in seconds"`
	CacheControl string `header:"Cache-Control" hidden:"true"`
	Vary         string `header:"Vary" hidden:"true"`
	Body         T
}

// Freshness says how old an answer is, and why it is not younger.
type Freshness struct {
	AgeSeconds  *float64   `json:"age_seconds" doc:"How long ago the data was true; null when it was never fetched"`
	RefreshedAt *time.Time `json:"refreshed_at" doc:"As of when the data is true: for a list, the time of its oldest cluster, those in errors aside"`
	Error       string     `json:"error,omitempty" doc:"Why the data is older than asked for; absent when it is not"`
	// Errors is that of a list, cluster by cluster.
	Errors []ClusterTrouble `json:"errors,omitempty" nullable:"false" doc:"Of a list: the clusters whose part is older than asked for, or is not there yet; age_seconds and refreshed_at above are those of the rest"`
}

// ClusterTrouble says why a cluster's part of a list is older than asked for.
type ClusterTrouble struct {
	Cluster    string   `json:"cluster"`
	Reason     string   `json:"reason" doc:"A short label, such as timeout or unreachable"`
	Message    string   `json:"message"`
	AgeSeconds *float64 `json:"age_seconds" doc:"How long ago this cluster's part was true; null when it was never fetched"`
}

func freshness[T any](who caller, c Cached[T]) Freshness {
	var f Freshness
	if !c.RefreshedAt.IsZero() {
		age, at := c.Age.Round(time.Millisecond).Seconds(), c.RefreshedAt
		f.AgeSeconds, f.RefreshedAt = &age, &at
	}
	if c.Err != nil {
		f.Error = refreshText(who, c.Err)
	}
	for _, e := range c.Errors {
		t := ClusterTrouble{Cluster: e.Cluster, Reason: "error", Message: refreshText(who, e.Err)}
		if refresh, ok := errors.AsType[*RefreshError](e.Err); ok && refresh.Reason != "" {
			t.Reason = refresh.Reason
		}
		if e.RefreshedAt != nil {
			age := e.Age.Round(time.Millisecond).Seconds()
			t.AgeSeconds = &age
		}
		f.Errors = append(f.Errors, t)
	}
	return f
}

// List is a page of a list.
type List[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty" doc:"The value of after for the next page; absent on the last page"`
	Warned
	Freshness
}

// Warned is what may be wrong with a question that was answered.
type Warned struct {
	Warnings []string `json:"warnings,omitempty" nullable:"false" doc:"Values that find nothing because there is no such thing, with the nearest that there is, and what is not cached at all"`
}

// One is a single object.
type One[T any] struct {
	Item T `json:"item"`
	Freshness
}

// Conditional is embedded in the input of operations whose answers have an ETag.
type Conditional struct {
	IfNoneMatch string `header:"If-None-Match" maxLength:"1024" doc:"ETags of answers that the caller has; one of them is answered with 304"`
}

// respond makes the answer. Content is the part that the ETag speaks of: everything but the age.
func respond[T any](in Conditional, body T, f Freshness, content any) (*output[T], error) {
	text, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("encoding the answer: %w", err)
	}
	out := &output[T]{
		Status: http.StatusOK, ETag: etag(append(text, f.Error...)), Body: body,
		// Whoever stores it must ask again: the age is part of the answer.
		CacheControl: "private, no-cache", Vary: "Authorization",
	}
	if f.AgeSeconds != nil {
		out.Age = strconv.FormatInt(int64(*f.AgeSeconds), 10)
	}
	if matches(in.IfNoneMatch, out.ETag) {
		out.Status = http.StatusNotModified
	}
	return out, nil
}

// etag is weak: two answers with the same one differ in their age.
func etag(content []byte) string {
	sum := sha256.Sum256(content)
	return `W/"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// matches compares weakly, as RFC 9110 asks of If-None-Match.
func matches(header, tag string) bool {
	if strings.TrimSpace(header) == "*" {
		return true
	}
	return slices.ContainsFunc(strings.Split(header, ","), func(t string) bool {
		return strings.TrimPrefix(strings.TrimSpace(t), "W/") == strings.TrimPrefix(tag, "W/")
	})
}
