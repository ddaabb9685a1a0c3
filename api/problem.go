package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"go.uber.org/zap"

	"ganeticache/db"
	"ganeticache/printable"
)

// Every error is a problem document (RFC 9457). Its text is made for the caller: an error that is not foreseen here is
// logged, and the caller learns only that it happened.

// maxDetail bounds the sentence of a problem, in bytes: what a caller sent is never echoed at length.
const maxDetail = 500

// RefreshError says that something could not be brought up to date. A [Cache] returns it where the caller insisted on
// fresh data, and beside old data as [Cached].Err otherwise.
type RefreshError struct {
	// Reason is a short label of a bounded set, such as "timeout": it is all that a caller with limited rights learns.
	Reason string
	Err    error
}

// Error implements error.
func (e *RefreshError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *RefreshError) Unwrap() error { return e.Err }

// Errors of a [Cache] besides those of package db.
var (
	// ErrFrozen means that the cluster is disabled and therefore not refreshed.
	ErrFrozen = errors.New("the cluster is disabled: its rows are frozen and it is not asked")
)

// problem makes a problem document.
func problem(status int, format string, args ...any) huma.StatusError {
	return &huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: cut(fmt.Sprintf(format, args...))}
}

// retryLater makes a problem document with a Retry-After header.
func retryLater(status int, after time.Duration, format string, args ...any) error {
	h := http.Header{"Retry-After": {strconv.Itoa(max(1, int(after.Round(time.Second).Seconds())))}}
	return huma.ErrorWithHeaders(problem(status, format, args...), h)
}

// withHeader adds a header to a problem.
func withHeader(err error, name, value string) error {
	return huma.ErrorWithHeaders(err, http.Header{name: {value}})
}

// writeProblem answers with a problem outside of huma.
func writeProblem(w http.ResponseWriter, err error) {
	if with, ok := errors.AsType[huma.HeadersError](err); ok {
		maps.Copy(w.Header(), with.GetHeaders())
	}
	var p huma.StatusError
	if !errors.As(err, &p) {
		p = problem(http.StatusInternalServerError, "%s", internal)
	}
	body, jsonErr := json.Marshal(p)
	if jsonErr != nil { // texts and numbers always marshal
		panic(jsonErr)
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Del("Content-Length")
	w.WriteHeader(p.GetStatus())
	// The client may have left; there is nobody to tell.
	w.Write(append(printable.JSON(body), '\n')) //nolint:errcheck,gosec // see above
}

const internal = "something went wrong here; the log of the updater has the details"

// explain turns any error into a problem for the caller.
func (s *service) explain(ctx context.Context, err error) error {
	var known huma.StatusError
	var refresh *RefreshError
	var ambiguous *db.AmbiguousError
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &ambiguous):
		return problem(http.StatusConflict, "the name is ambiguous; it could be %s", strings.Join(ambiguous.Candidates, ", "))
	case errors.Is(err, db.ErrNotFound):
		return problem(http.StatusNotFound, "there is no such thing in the cache, or not for you")
	case errors.Is(err, db.ErrBadFilter):
		return problem(http.StatusUnprocessableEntity, "%s", printable.Text(err.Error()))
	case errors.Is(err, ErrFrozen):
		return problem(http.StatusConflict, "%s", ErrFrozen.Error())
	case db.Away(err):
		s.log.Warn("answering a request failed: the database is away", zap.String("operation", operationOf(ctx)),
			zap.String("error", printable.Text(err.Error())))
		return retryLater(http.StatusServiceUnavailable, slowDown, "the database cannot be asked at this moment (%s)", db.TroubleOf(err))
	case errors.Is(err, context.DeadlineExceeded):
		return retryLater(http.StatusGatewayTimeout, slowDown,
			"this took too long; what was begun goes on, so that a later request finds it done. cache=only does not wait for Ganeti")
	case errors.As(err, &refresh):
		return retryLater(http.StatusBadGateway, slowDown, "%s", refreshText(callerOf(ctx), refresh))
	case errors.Is(err, context.Canceled):
		return retryLater(http.StatusServiceUnavailable, time.Second, "the updater is stopping")
	default:
		s.log.Error("answering a request failed", zap.String("operation", operationOf(ctx)), zap.String("caller", callerOf(ctx).name),
			zap.String("error", printable.Text(err.Error())))
		return problem(http.StatusInternalServerError, "%s", internal)
	}
}

// slowDown is how long a caller is asked to wait before it tries again what took too long or could not be fetched.
const slowDown = 15 * time.Second

// refreshText is what a caller may know of a failed refresh: the whole of it may name other objects and addresses.
func refreshText(c caller, err error) string {
	var refresh *RefreshError
	if c.restricted() {
		reason := "error"
		if errors.As(err, &refresh) && refresh.Reason != "" {
			reason = refresh.Reason
		}
		return "it could not be refreshed (" + reason + ")"
	}
	return cut(printable.Text(err.Error()))
}

// cut shortens a text to maxDetail bytes, at the end of a character.
func cut(s string) string {
	if len(s) <= maxDetail {
		return s
	}
	return strings.ToValidUTF8(s[:maxDetail], "") + " …"
}

// cleanProblems is a transformer: it keeps what the caller sent out of the answer, or at least short and printable.
func cleanProblems(_ huma.Context, _ string, v any) (any, error) {
	p, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	for _, e := range p.Errors {
		e.Value = nil
		e.Location = cut(printable.Text(e.Location))
		e.Message = cut(printable.Text(e.Message))
	}
	if len(p.Errors) > maxErrors {
		p.Errors = p.Errors[:maxErrors]
	}
	return p, nil
}

// maxErrors is how many single errors a problem lists.
const maxErrors = 20

// jsonFormat is JSON that is harmless where somebody takes it for HTML.
func jsonFormat() huma.Format {
	f := huma.DefaultJSONFormat
	f.Marshal = func(w io.Writer, v any) error {
		var b bytes.Buffer
		if err := json.NewEncoder(&b).Encode(v); err != nil {
			return fmt.Errorf("encoding the answer: %w", err)
		}
		_, err := w.Write(printable.JSON(b.Bytes()))
		return err
	}
	return f
}
