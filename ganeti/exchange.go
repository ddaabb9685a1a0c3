package ganeti

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	// maxHeader bounds status line and headers; RAPI sends 200 bytes.
	maxHeader = 64 << 10
	// maxErrorBody bounds what is read of an error's body.
	maxErrorBody = 64 << 10
	// maxMessage bounds each text of Ganeti's that goes into an error, in bytes.
	maxMessage = 300
	// maxInterim is how many 1xx answers are skipped.
	maxInterim = 5
)

// exchange does one request on one connection. net/http's Transport is left
// out on purpose: RAPI closes every connection, so there is nothing to pool,
// and here each phase has its own timeout, no proxy or redirect can come in,
// and no goroutine outlives the call.
func (c *Client) exchange(
	ctx context.Context, d *dialer, turn *turns, path string, read func(io.Reader, int64) error,
) (n int64, date time.Time, err error) {
	conn, raw, err := d.dial(ctx)
	if err != nil {
		return 0, date, err
	}
	defer closeQuietly(raw)
	c.expires.Store(conn.ConnectionState().PeerCertificates[0].NotAfter.Unix())
	stop := context.AfterFunc(ctx, func() { closeQuietly(raw) })
	defer stop()

	resp, buffered, err := c.roundTrip(ctx, d, conn, path) //nolint:bodyclose // closing reads on to the end; the connection is closed instead
	if err != nil {
		return 0, date, err
	}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		date = at
	}
	if resp.StatusCode != http.StatusOK {
		return 0, date, c.statusError(d.address, path, resp)
	}
	if resp.ContentLength > c.maxBody {
		return 0, date, fmt.Errorf("%w: %d bytes announced, %d allowed (max_body)", ErrTooLarge, resp.ContentLength, c.maxBody)
	}
	if err := turn.answered(ctx, resp, buffered); err != nil {
		return 0, date, err
	}
	body := &countingReader{ctx: ctx, turn: turn, r: resp.Body, want: resp.ContentLength}
	if err := read(body, resp.ContentLength); err != nil {
		if foreign, ok := errors.AsType[*contentError](err); ok {
			foreign.found = []byte(c.scrub(string(foreign.found)))
		}
		return 0, date, err
	}
	closeQuietly(conn) // with close_notify, as everything has been read
	return body.n, date, nil
}

// roundTrip sends the request and reads the header of the answer, both within
// the first-byte timeout.
func (c *Client) roundTrip(ctx context.Context, d *dialer, conn net.Conn, path string) (*http.Response, *bufio.Reader, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+d.address.String()+path, http.NoBody)
	if err != nil {
		return nil, nil, fmt.Errorf("building the request: %w", err)
	}
	req.Close = true
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "ganeti-cache-updater")
	if user, password := c.credentials(); user != "" {
		req.SetBasicAuth(user, password)
	}
	if err := conn.SetDeadline(time.Now().Add(d.timeouts.FirstByte)); err != nil {
		return nil, nil, d.firstByteError(err)
	}
	if err := req.Write(conn); err != nil {
		return nil, nil, d.firstByteError(err)
	}
	pace := newMeter(conn, d.timeouts)
	header := &headerReader{r: pace, left: maxHeader}
	buffered := bufio.NewReader(header)
	for range maxInterim {
		resp, err := http.ReadResponse(buffered, req)
		if err != nil {
			return nil, nil, d.firstByteError(header.explain(err))
		}
		if resp.StatusCode >= http.StatusOK {
			header.done, pace.on = true, true
			return resp, buffered, conn.SetDeadline(time.Time{}) // from here on the context's and the least throughput's
		}
	}
	return nil, nil, fmt.Errorf("%w: only interim answers; check that the port is RAPI's", ErrNotJSON)
}

func (d *dialer) firstByteError(err error) error {
	var timeout net.Error
	var network *net.OpError
	switch {
	case errors.Is(err, ErrTooLarge):
		return err
	case errors.As(err, &timeout) && timeout.Timeout():
		return &TimeoutError{Phase: "first_byte", After: d.timeouts.FirstByte}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &network):
		return fmt.Errorf("%w (%w); RAPI does so when it is overloaded or restarted", errNoAnswer, err)
	default:
		// The error itself would quote what came, which may be anything.
		return fmt.Errorf("%w: the answer is not HTTP; check that the port is RAPI's", ErrNotJSON)
	}
}

// headerReader bounds what comes before the body, and keeps it for the case
// that it cannot be parsed.
type headerReader struct {
	r    io.Reader
	left int64
	seen []byte
	err  error
	done bool // the body has begun: no limit, nothing kept
}

// Read returns ErrTooLarge at the limit.
func (r *headerReader) Read(p []byte) (int, error) {
	if r.done {
		return r.r.Read(p)
	}
	if r.left <= 0 {
		r.err = fmt.Errorf("%w: a header of more than %d bytes", ErrTooLarge, maxHeader)
		return 0, r.err
	}
	n, err := r.r.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	r.seen = append(r.seen, p[:n]...)
	r.err = err
	return n, err
}

// explain returns what the connection said rather than what the parser made
// of it, when the header simply ended early.
func (r *headerReader) explain(err error) error {
	foreign := !strings.HasPrefix(string(r.seen), "HTTP/"[:min(len("HTTP/"), len(r.seen))])
	whole := bytes.Contains(r.seen, []byte("\r\n\r\n")) || bytes.Contains(r.seen, []byte("\n\n"))
	if r.err == nil || foreign || whole {
		return err
	}
	return r.err
}

// statusError reads what Ganeti says about the failure. A body that is cut or
// not Ganeti's changes nothing: the status is the error.
func (c *Client) statusError(at Address, path string, resp *http.Response) error {
	e := &StatusError{Address: at, Method: http.MethodGet, Path: path, Status: resp.StatusCode}
	if e.Status == http.StatusUnauthorized {
		e.Hint = c.passwordHint
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if err != nil && len(body) == 0 {
		return e
	}
	var said struct {
		Message any `json:"message"`
		Explain any `json:"explain"`
	}
	if json.Unmarshal(body, &said, lenient()) != nil {
		return e
	}
	e.Message, e.Explain = c.said(said.Message), c.said(said.Explain)
	return e
}

// said makes a text of Ganeti's fit for an error: RAPI escapes it for HTML.
func (c *Client) said(v any) string {
	text, ok := v.(string)
	if !ok {
		return ""
	}
	text = html.UnescapeString(c.scrub(text))
	return plain(c.scrub(text), maxMessage)
}

// scrubber removes the credentials from what a server said, should it echo
// its request.
func scrubber(user, password string) func(string) string {
	if password == "" {
		return func(s string) string { return s }
	}
	basic := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	r := strings.NewReplacer(basic, redacted, password, redacted)
	return r.Replace
}

// countingReader counts the body and says how much of it was announced.
type countingReader struct {
	ctx     context.Context //nolint:containedctx // the reader lives as long as the request
	turn    *turns
	r       io.Reader
	n, want int64
}

// Read passes io.EOF on as it is; everything else means that the body ended
// early.
func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.turn.read(r.ctx, r.r, p)
	r.n += int64(n)
	if err == nil || err == io.EOF { //nolint:errorlint // a reader gives io.EOF bare
		return n, err
	}
	if r.want >= 0 {
		return n, fmt.Errorf("%w after %d of %d bytes: %w", ErrTruncated, r.n, r.want, err)
	}
	return n, fmt.Errorf("%w after %d bytes: %w", ErrTruncated, r.n, err)
}
