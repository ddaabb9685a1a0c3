package ganeti_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"ganeticache/ganeti"
)

// drip answers with a list whose bytes come one by one, after those that come at once.
func drip(body string, atOnce int, pause time.Duration) script {
	return func(conn *tls.Conn, _ *http.Request) {
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:atOnce])
		for _, b := range []byte(body[atOnce:]) {
			if _, err := conn.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(pause)
		}
	}
}

func TestClient_DrippingAnswer(t *testing.T) {
	t.Parallel()
	cert := ganetiCertificate(t)
	list := "[" + strings.TrimSuffix(strings.Repeat(`{"name": "an item that is long enough"}, `, 1000), ", ") + "]\n"
	for _, tt := range []struct {
		name   string
		answer script
		reason string
	}{
		{"from the first byte", drip(list, 0, 20*time.Millisecond), "slow"},
		{"behind a good beginning", drip(list, len(list)/2, 20*time.Millisecond), "slow"},
		{"nothing at all behind the header", func(conn *tls.Conn, _ *http.Request) {
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(list))
			untilClosed(conn)
		}, "slow"},
		{"slow and honest", func(conn *tls.Conn, _ *http.Request) {
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(list))
			for part := range strings.SplitSeq(strings.ReplaceAll(list, ", {", ", \x00{"), "\x00") {
				fmt.Fprint(conn, part)
				time.Sleep(2 * time.Millisecond) // 20 kB a second
			}
		}, ""},
		{"the end in drips, and soon enough", drip(list, len(list)-5, 20*time.Millisecond), ""},
	} {
		for _, waits := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, waited for: %t", tt.name, waits), func(t *testing.T) {
				t.Parallel()
				s := settings(serve(t, cert, tt.answer), cert)
				s.Timeouts = ganeti.Timeouts{FirstByte: time.Second, Total: time.Minute}
				c := client(t, s)
				ctx, w := t.Context(), &waiter{}
				if waits {
					ctx = ganeti.WithWaiter(ctx, w)
				}
				began := time.Now()
				w.Wait(false)
				_, err := c.Bulk(ctx, ganeti.Instances, nil)
				if got := ganeti.Reason(err); got != tt.reason {
					t.Fatalf("reason = %q (%v), want %q", got, err, tt.reason)
				}
				if tt.reason == "slow" && (!errors.Is(err, ganeti.ErrSlow) || !strings.Contains(err.Error(), "timeouts.min_throughput") ||
					time.Since(began) > 10*time.Second) {
					t.Errorf("after %s: %v; want an ErrSlow that names its setting, after two windows of a second at most", time.Since(began), err)
				}
				if waits && tt.name == "from the first byte" && w.resumed > 3 {
					t.Errorf("the caller had to get up %d times for bytes that drip", w.resumed)
				}
			})
		}
	}
}

// waiter is a caller that gives its turn back at once.
type waiter struct {
	mu      sync.Mutex
	waits   bool
	resumed int
	hold    time.Duration
}

func (w *waiter) Wait(bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waits = true
}

func (w *waiter) Resume(ctx context.Context) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waits = false
	w.resumed++
	time.Sleep(w.hold)
	return true, ctx.Err()
}

// The time that a caller takes to come back is not the cluster's.
func TestWithWaiter_IsNoPartOfTheDuration(t *testing.T) {
	t.Parallel()
	cert := ganetiCertificate(t)
	c := client(t, settings(serve(t, cert, send(200, file(t, "info.body"))), cert))
	w := &waiter{hold: 2 * time.Second}
	began := time.Now()
	a, err := c.Info(ganeti.WithWaiter(t.Context(), w))
	if err != nil {
		t.Fatal(err)
	}
	if whole := time.Since(began); w.resumed == 0 || whole < w.hold || a.Duration > whole-w.hold {
		t.Errorf("the request took %s of %s, and its caller %s, %d times", a.Duration, whole, w.hold, w.resumed)
	}
}
