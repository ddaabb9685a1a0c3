package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"

	"github.com/danielgtaylor/huma/v2"

	"ganeticache/printable"
)

// ErrNobodyListens means that there is no server at an address, and therefore most likely no updater.
var ErrNobodyListens = errors.New("nothing listens there")

// maxReadyAnswer bounds what is read of a health check's answer, in bytes: whoever listens there may not be an updater.
const maxReadyAnswer = 16 << 10

// AskReady asks the [Server] that listens on an address, host:port as in [Options], whether it can do its work. A host that
// stands for all addresses is asked on this machine. The error is ErrNobodyListens, or what the server says is wrong.
func AskReady(ctx context.Context, address string) error {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		},
	}}
	// The host is one that the gate lets pass, whatever the address is.
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/readyz", http.NoBody)
	if err != nil {
		return fmt.Errorf("asking %s: %w", address, err)
	}
	resp, err := client.Do(req)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("asking %s: %w", address, ErrNobodyListens)
	case err != nil:
		return fmt.Errorf("asking %s: %w", address, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReadyAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("reading the answer of %s: %w", address, err)
	case resp.StatusCode == http.StatusOK:
		return nil
	}
	var p huma.ErrorModel
	if json.Unmarshal(body, &p) != nil || p.Detail == "" {
		return fmt.Errorf("asking %s: it answers %s; is it an updater that listens there?", address, resp.Status)
	}
	return fmt.Errorf("asking %s: not ready: %s", address, cut(printable.Text(p.Detail)))
}
