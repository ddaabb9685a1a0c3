package rapisim

import (
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// reply is an answer about to be sent. Faults change it.
type reply struct {
	status      int
	contentType string
	// body is sent part by part. A part is good until the next one.
	body   iter.Seq[[]byte]
	length int64 // as declared; what body holds, unless a fault lies

	delay   time.Duration
	hang    bool   // never answer
	cut     int64  // close after that many bytes of the body; -1: do not
	rate    int    // bytes per second; 0: as fast as they go
	endless []byte // repeated for ever after the body; no length is declared
}

func newReply(status int, body ...[]byte) *reply {
	r := &reply{status: status, contentType: "application/json", cut: -1}
	r.setBody(body...)
	return r
}

func (r *reply) setBody(body ...[]byte) {
	r.body, r.length = slices.Values(body), 0
	for _, part := range body {
		r.length += int64(len(part))
	}
}

// whole returns the body in one piece, for the caller to change.
func (r *reply) whole() []byte {
	var b []byte
	for part := range r.body {
		b = append(b, part...)
	}
	return b
}

func ok(body ...[]byte) *reply { return newReply(http.StatusOK, body...) }

func okText(json string) *reply { return ok([]byte(json + "\n")) }

// failure is Ganeti's error answer; message is escaped as HTML, as there.
func failure(status int, message string) *reply {
	w := writer(`{"code": ` + strconv.Itoa(status))
	w.key("message")
	w.string(escapeHTML(message))
	w.key("explain")
	w.string(explain(status))
	w.raw("}\n")
	return newReply(status, w)
}

// escapeHTML escapes as Python does, which differs from Go in both quotes.
func escapeHTML(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#x27;").Replace(s)
}

// plainFailure is an error that Ganeti explains by nothing but its status.
func plainFailure(status int) *reply { return failure(status, http.StatusText(status)) }

// explain gives the long text of a status: that of Python's http.server, which
// Ganeti uses, wherever a recording shows one.
func explain(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "Bad request syntax or unsupported method"
	case http.StatusUnauthorized:
		return "No permission -- see authorization schemes"
	case http.StatusForbidden:
		return "Request forbidden -- authorization will not help"
	case http.StatusNotFound:
		return "Nothing matches the given URI"
	case http.StatusInternalServerError:
		return "Server got itself in trouble"
	case http.StatusNotImplemented:
		return "Server does not support this operation"
	case http.StatusBadGateway:
		return "Invalid responses from another server/proxy"
	case http.StatusServiceUnavailable:
		return "The server cannot process the request due to a high load"
	case http.StatusGatewayTimeout:
		return "The gateway server did not receive a timely response"
	default:
		return http.StatusText(status)
	}
}

// head renders the status line and the headers, in Ganeti's order. Ganeti
// closes every connection after one answer and never uses chunks.
func (r *reply) head(proto string, now time.Time) []byte {
	b := make([]byte, 0, 256)
	b = append(b, proto+" "+strconv.Itoa(r.status)+" "+http.StatusText(r.status)+"\r\n"...)
	b = append(b, "Content-Type: "+r.contentType+"\r\n"...)
	if r.status == http.StatusUnauthorized {
		b = append(b, `WWW-Authenticate: Basic realm="Ganeti Remote API"`+"\r\n"...)
	}
	b = append(b, "Connection: close\r\nDate: "...)
	b = now.UTC().AppendFormat(b, http.TimeFormat)
	b = append(b, "\r\nServer: Ganeti 3.0.2\r\n"...)
	if r.endless == nil {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, r.length, 10)
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...)
}
