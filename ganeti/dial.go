package ganeti

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// dialer opens one TLS connection within the connect and handshake timeouts.
type dialer struct {
	address  Address
	timeouts Timeouts
	config   *tls.Config
}

// dial returns the TLS connection and the TCP connection below it. Closing the
// latter ends everything at once, without waiting to say goodbye.
func (d *dialer) dial(ctx context.Context) (*tls.Conn, net.Conn, error) {
	connectCtx, cancel := context.WithTimeout(ctx, d.timeouts.Connect)
	defer cancel()
	var nd net.Dialer
	raw, err := nd.DialContext(connectCtx, "tcp", d.address.String())
	if err != nil {
		return nil, nil, d.connectError(ctx, err)
	}
	handshakeCtx, cancel := context.WithTimeout(ctx, d.timeouts.TLSHandshake)
	defer cancel()
	conn := tls.Client(raw, d.config)
	if err := conn.HandshakeContext(handshakeCtx); err != nil {
		err = d.handshakeError(ctx, err)
		closeQuietly(raw)
		return nil, nil, err
	}
	return conn, raw, nil
}

// ended is ctx.Err, also while the context's own timer is late: a dialer
// compares the deadline with the clock, and on a busy machine gives up before
// the context does.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

func (d *dialer) connectError(ctx context.Context, err error) error {
	var timeout net.Error
	var dns *net.DNSError
	switch {
	case ended(ctx) != nil:
		return err // the caller knows why its context ended
	case errors.As(err, &dns) && !dns.IsTimeout:
		return fmt.Errorf("%w: %w; check the host name", ErrRefused, err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return &TimeoutError{Phase: "connect", After: d.timeouts.Connect}
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: %w; check that ganeti-rapi runs there and that this is the master node", ErrRefused, err)
	default:
		return fmt.Errorf("%w: %w; check the address, the route and firewalls", ErrRefused, err)
	}
}

func (d *dialer) handshakeError(ctx context.Context, err error) error {
	var timeout net.Error
	var record tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var verify *tls.CertificateVerificationError
	switch {
	case ended(ctx) != nil, errors.Is(err, ErrTLS):
		return err
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return &TimeoutError{Phase: "tls_handshake", After: d.timeouts.TLSHandshake}
	case errors.As(err, &record):
		return fmt.Errorf("%w: the port does not speak TLS; check that it is RAPI's", ErrTLS)
	case errors.As(err, &authority):
		return fmt.Errorf("%w: %w; Ganeti's own certificate is self-signed: run `updater trust %s` and set "+
			"tls.pin_sha256 to what it prints", ErrTLS, err, d.address)
	case errors.As(err, &verify):
		return fmt.Errorf("%w: %w; check the host name and the certificate, or set tls.pin_sha256 "+
			"(`updater trust %s`)", ErrTLS, err, d.address)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		// Not a matter of certificates: a RAPI that is being stopped does so.
		return fmt.Errorf("%w: the server closed the connection during the TLS handshake; RAPI is being stopped, or the port is another's", ErrRefused)
	case isAlert(err), d.config.MinVersion > tls.VersionTLS10 && strings.Contains(err.Error(), "tls: "):
		return fmt.Errorf("%w: %w; an old server may know only TLS 1.0 or 1.1, or exchange keys by RSA alone: set tls.min_version to \"1.0\" for it, "+
			"or check that the port is RAPI's", ErrTLS, err)
	default:
		return fmt.Errorf("%w: %w; check that the port is RAPI's", ErrTLS, err)
	}
}

// isAlert says that the server ended the handshake with an alert: it found nothing that both sides know.
func isAlert(err error) bool {
	var alert tls.AlertError
	return errors.As(err, &alert)
}

// closeQuietly closes a connection whose outcome is already known.
func closeQuietly(c io.Closer) {
	// Nothing was written that a failed close could lose.
	_ = c.Close()
}

// FetchCertificate connects to HOST:PORT (the port defaults to 5080, a leading
// https:// is ignored) and returns the certificate it presents, whatever that
// is. Nothing is verified and no credentials are sent: the caller shows its
// [Pin] to somebody who can compare it with the one on the master node. Zero
// timeouts mean the defaults.
func FetchCertificate(ctx context.Context, hostport string, timeouts Timeouts) (*x509.Certificate, error) {
	target := Settings{URL: "https://" + strings.TrimPrefix(hostport, "https://"), Timeouts: timeouts}
	if err := target.Validate(); err != nil {
		return nil, fmt.Errorf("reading the address: %w", err)
	}
	addresses, err := target.Addresses()
	if err != nil {
		return nil, fmt.Errorf("reading the address: %w", err)
	}
	if len(addresses) > 1 {
		return nil, errors.New("reading the address: these are several; ask each by itself")
	}
	d := dialer{
		address:  addresses[0],
		timeouts: timeouts.withDefaults(),
		config: &tls.Config{
			// Nothing secret is sent, so that old servers may show theirs, too.
			MinVersion:         tls.VersionTLS10,
			CipherSuites:       cipherSuites(tls.VersionTLS10),
			ServerName:         addresses[0].Host,
			InsecureSkipVerify: true, //nolint:gosec // G402: looking at the certificate is the purpose
		},
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeouts.Total)
	defer cancel()
	conn, raw, err := d.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("fetching the certificate of %s: %w", d.address, err)
	}
	defer closeQuietly(raw)
	return conn.ConnectionState().PeerCertificates[0], nil
}
