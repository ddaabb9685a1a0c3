package bare

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// requestLimit is as in the updater.
const requestLimit = 2 * time.Minute

// Downloader keeps between rounds what any client would: TLS sessions and buffers. Its rounds are for one goroutine.
type Downloader struct {
	site    Site
	headers string
	configs []*tls.Config
	buffers sync.Pool
}

// NewDownloader makes a client of a site's clusters.
func NewDownloader(s Site) *Downloader {
	credentials := base64.StdEncoding.EncodeToString([]byte(s.Username + ":" + s.Password))
	d := &Downloader{
		site:    s,
		headers: "Accept: application/json\r\nConnection: close\r\nAuthorization: Basic " + credentials + "\r\n\r\n",
	}
	for range s.Clusters {
		d.configs = append(d.configs, &tls.Config{
			InsecureSkipVerify: true, //nolint:gosec // the bare download of a simulator on this machine
			ClientSessionCache: tls.NewLRUClientSessionCache(1),
		})
	}
	d.buffers.New = func() any { b := make([]byte, 128<<10); return &b }
	return d
}

// Serve does a round for each line of in, and prints one line of JSON with the bytes of all bodies.
func (d *Downloader) Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		n, err := d.Round(ctx)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(out).Encode(map[string]int64{"bytes": n}); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
	}
	return lines.Err()
}

// Round asks all clusters and returns the bytes of all bodies.
func (d *Downloader) Round(ctx context.Context) (int64, error) {
	var g errgroup.Group
	g.SetLimit(d.site.Concurrency)
	bytes := make([]int64, len(d.site.Clusters))
	for i, c := range d.site.Clusters {
		g.Go(func() error {
			for _, path := range d.site.Paths {
				n, err := d.get(ctx, c, d.configs[i], path)
				if err != nil {
					return fmt.Errorf("downloading %s of %s: %w", path, c.Name, err)
				}
				bytes[i] += n
			}
			return nil
		})
	}
	err := g.Wait()
	var sum int64
	for _, n := range bytes {
		sum += n
	}
	return sum, err
}

func (d *Downloader) get(ctx context.Context, c Cluster, config *tls.Config, path string) (n int64, _ error) {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	dialer := tls.Dialer{NetDialer: &net.Dialer{}, Config: config}
	conn, err := dialer.DialContext(ctx, "tcp", c.Address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: "+c.Address+"\r\n"+d.headers); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("answered with %s", resp.Status)
	}
	buffer, _ := d.buffers.Get().(*[]byte)
	defer d.buffers.Put(buffer)
	for {
		m, err := resp.Body.Read(*buffer)
		n += int64(m)
		switch {
		case errors.Is(err, io.EOF) && n == resp.ContentLength:
			return n, nil
		case err != nil:
			return n, fmt.Errorf("reading byte %d of %d: %w", n, resp.ContentLength, err)
		}
	}
}
