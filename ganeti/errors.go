package ganeti

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Sentinels for what callers branch on; test with errors.Is.
var (
	// ErrUnauthorized is a 401: RAPI does not know the user or the password.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrForbidden is a 403: the user is known and lacks a right.
	ErrForbidden = errors.New("forbidden")
	// ErrNotFound is a 404: no such object, or no such resource in this
	// version of Ganeti.
	ErrNotFound = errors.New("not found")
	// ErrNotMaster is a 502: no ganeti-luxid runs there, as on every node but
	// the master.
	ErrNotMaster = errors.New("not the master")
	// ErrTruncated is a body that ended early.
	ErrTruncated = errors.New("answer cut short")
	// ErrNotJSON is an answer that is not the JSON it should be.
	ErrNotJSON = errors.New("answer is not the expected JSON")
	// ErrTooLarge is an answer or an item above its limit.
	ErrTooLarge = errors.New("answer too large")
	// ErrTimeout is any timeout; the *TimeoutError in the chain has the phase.
	ErrTimeout = errors.New("timeout")
	// ErrSlow is an answer that came with less than the least throughput.
	ErrSlow = errors.New("the answer comes too slowly")
	// ErrTLS is a failed handshake or a certificate that is not trusted.
	ErrTLS = errors.New("TLS failed")
	// ErrPinMismatch is another certificate than the pinned one; it is an
	// ErrTLS too.
	ErrPinMismatch = fmt.Errorf("%w: certificate does not match the pin", ErrTLS)
	// ErrRefused is a connection that could not be made.
	ErrRefused = errors.New("cannot connect")

	// errNoAnswer is an ErrTruncated of which nothing came at all.
	errNoAnswer = fmt.Errorf("%w: the server closed the connection without an answer", ErrTruncated)
)

// StatusError is an answer with another status than 200.
type StatusError struct {
	// Address is the one that answered so. The text does not name it.
	Address      Address
	Method, Path string
	Status       int
	// Message and Explain are Ganeti's own words, unescaped, cut to a
	// reasonable length and free of control characters; they may be empty.
	Message, Explain string
	// Hint is what may be the cause on this side: at a 401, what is odd about
	// the password that was sent. It holds nothing of the password.
	Hint string
}

// Error gives the status, Ganeti's words and what to check.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s %s: status %d", e.Method, e.Path, e.Status)
	if name := http.StatusText(e.Status); name != "" {
		text += " " + name
	}
	if e.Message != "" && e.Message != http.StatusText(e.Status) {
		text += ": " + e.Message
	}
	if e.Explain != "" {
		text += " (" + e.Explain + ")"
	}
	return text + "; " + e.advice() + also(e.Hint)
}

func (e *StatusError) advice() string {
	switch {
	case e.Status == http.StatusUnauthorized:
		return "check username and password against RAPI's users file"
	case e.Status == http.StatusForbidden:
		return "the user needs more rights (the option read) in RAPI's users file"
	case e.Status == http.StatusNotFound:
		return "check that the address is a Ganeti RAPI and that this version of Ganeti has the resource"
	case e.Status >= 300 && e.Status < 400:
		return "RAPI never redirects; check that the address is RAPI itself and not a proxy"
	case e.Status == http.StatusBadGateway:
		return "ganeti-luxid does not run on that node: a master failover in progress, or no longer the master"
	case e.Status == http.StatusGatewayTimeout:
		return "ganeti-luxid does not answer; check it on the master node"
	case e.Status >= 500:
		return "check ganeti-rapi's log on the master node"
	default:
		return "check that the address is a Ganeti RAPI"
	}
}

// Is makes a StatusError match the sentinel of its status.
func (e *StatusError) Is(target error) bool {
	switch e.Status {
	case http.StatusUnauthorized:
		return target == ErrUnauthorized
	case http.StatusForbidden:
		return target == ErrForbidden
	case http.StatusNotFound:
		return target == ErrNotFound
	case http.StatusBadGateway:
		return target == ErrNotMaster
	default:
		return false
	}
}

// TimeoutError is a phase of a request that took too long.
type TimeoutError struct {
	// Phase is connect, tls_handshake, first_byte or total: the name of the
	// setting under timeouts.
	Phase string
	// After is the limit that was reached.
	After time.Duration
}

// Error says which limit was reached and what usually causes it.
func (e *TimeoutError) Error() string {
	switch e.Phase {
	case "connect":
		return fmt.Sprintf("no connection within %s (timeouts.connect); check the address, the route and firewalls", e.After)
	case "tls_handshake":
		return fmt.Sprintf("no TLS handshake within %s (timeouts.tls_handshake); all of RAPI's 20 clients may be busy, "+
			"or the port is not RAPI", e.After)
	case "first_byte":
		return fmt.Sprintf("no answer within %s of the request (timeouts.first_byte); ganeti-luxid may hang: "+
			"check it on the master node", e.After)
	default:
		return fmt.Sprintf("the answer was not complete within %s (timeouts.total); the network or the cluster "+
			"is too slow for it", e.After)
	}
}

// Is makes every TimeoutError an ErrTimeout.
func (e *TimeoutError) Is(target error) bool {
	return target == ErrTimeout
}

// Timeout makes a TimeoutError a net.Error-like timeout.
func (e *TimeoutError) Timeout() bool { return true }

// Reason returns the class of an error of this package as one short label:
// unauthorized, forbidden, not_found, status, truncated, not_json, too_large,
// timeout, slow, tls, unreachable, canceled or other; "" for nil. Being canceled
// wins: whatever else the error says followed from it. Of a request that no
// address served it is the reason of the one that was asked first.
func Reason(err error) string {
	var status *StatusError
	var round *roundError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.As(err, &round):
		return Reason(round.causes[0])
	case errors.Is(err, ErrUnauthorized):
		return "unauthorized"
	case errors.Is(err, ErrForbidden):
		return "forbidden"
	case errors.Is(err, ErrNotFound):
		return "not_found"
	case errors.As(err, &status):
		return "status"
	case errors.Is(err, ErrSlow):
		return "slow"
	case errors.Is(err, ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, ErrTLS):
		return "tls"
	case errors.Is(err, ErrRefused):
		return "unreachable"
	case errors.Is(err, ErrTooLarge):
		return "too_large"
	case errors.Is(err, ErrTruncated):
		return "truncated"
	case errors.Is(err, ErrNotJSON):
		return "not_json"
	default:
		return "other"
	}
}
