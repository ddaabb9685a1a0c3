package ganeti_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ganeticache/ganeti"
	"ganeticache/ganeti/rapisim"
)

// simulate starts a server of a cluster.
func simulate(tb testing.TB, c *rapisim.Cluster, opts ...rapisim.ServerOption) *rapisim.Server {
	tb.Helper()
	s, err := rapisim.NewServer(c, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// simulated is a cluster behind as many addresses, and settings that list them all.
func simulated(tb testing.TB, addresses int) ([]*rapisim.Server, ganeti.Settings) {
	tb.Helper()
	c := rapisim.NewCluster(rapisim.Options{Username: "gwm", Password: testPassword})
	var servers []*rapisim.Server
	for range addresses {
		servers = append(servers, simulate(tb, c))
	}
	return servers, settingsOf(servers...)
}

func settingsOf(servers ...*rapisim.Server) ganeti.Settings {
	var urls []string
	for _, s := range servers {
		urls = append(urls, s.URL())
	}
	return ganeti.Settings{
		URL: strings.Join(urls, ","), Username: "gwm", Password: testPassword, TLS: ganeti.TLS{PinSHA256: servers[0].Pin()},
	}
}

func addressOf(tb testing.TB, s *rapisim.Server) ganeti.Address {
	tb.Helper()
	host, text, err := net.SplitHostPort(s.Addr())
	if err != nil {
		tb.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		tb.Fatal(err)
	}
	return ganeti.Address{Host: host, Port: port}
}

// wantServedBy asks for the info and checks who answers.
func wantServedBy(tb testing.TB, c *ganeti.Client, s *rapisim.Server) {
	tb.Helper()
	a, err := c.Info(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	if diff := cmp.Diff(addressOf(tb, s), a.Address); diff != "" {
		tb.Errorf("served by (-want +got):\n%s", diff)
	}
}

func TestClient_NextAddress(t *testing.T) {
	t.Parallel()
	// Long enough for the second address to answer in on a busy machine.
	short := ganeti.Timeouts{TLSHandshake: 2 * time.Second, FirstByte: 2 * time.Second, Total: time.Minute}
	for _, tt := range []struct {
		name  string
		fault rapisim.Fault
		next  bool
		hangs bool
	}{
		{"refused", rapisim.Refuse(), true, false},
		{"reset", rapisim.Reset(), true, false},
		{"no TLS", rapisim.NoTLS(), true, false},
		{"a handshake that hangs", rapisim.HangHandshake(), true, true},
		{"an answer that does not begin", rapisim.Hang(), true, true},
		{"502", rapisim.Status(502), true, false},
		{"503", rapisim.Status(503), true, false},
		{"504", rapisim.Status(504), true, false},
		{"401", rapisim.Status(401), false, false},
		{"403", rapisim.Status(403), false, false},
		{"404", rapisim.Status(404), false, false},
		{"500", rapisim.Status(500), false, false},
		{"HTML", rapisim.HTML(200), false, false},
		{"a cut body", rapisim.CutBody(10), false, false},
		{"a cut body, nothing of it", rapisim.CutBody(0), false, false},
		{"not the JSON", rapisim.Body([]byte("{]")), false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			servers, s := simulated(t, 2)
			s.Timeouts = short
			c := client(t, s)
			servers[0].Hurt(tt.fault)
			began := time.Now()
			d, err := c.Bulk(t.Context(), ganeti.Instances, nil)
			if asked := servers[1].Total() > 0; asked != tt.next || (err == nil) != tt.next {
				t.Fatalf("the second address was asked: %t, want %t; error %v", asked, tt.next, err)
			}
			if err != nil {
				servers[0].Heal()
				wantServedBy(t, c, servers[0])
				return
			}
			if d.Items != 10 || d.Address != addressOf(t, servers[1]) {
				t.Errorf("%d items from %s", d.Items, d.Address)
			}
			if waited := d.StartedAt.Sub(began); tt.hangs && waited < short.FirstByte-time.Millisecond {
				t.Errorf("started after %s: that is the request to the first address", waited)
			}
			// Remembered, although the first is well again.
			servers[0].Heal()
			servers[0].Forget()
			wantServedBy(t, c, servers[1])
			if n := servers[0].Total(); n != 0 {
				t.Errorf("the first address was asked %d times more", n)
			}
		})
	}
}

func TestClient_RoundTheList(t *testing.T) {
	t.Parallel()
	servers, s := simulated(t, 3)
	c := client(t, s)
	wantServedBy(t, c, servers[0])
	servers[0].Hurt(rapisim.Refuse())
	servers[1].Hurt(rapisim.Status(502))
	wantServedBy(t, c, servers[2])
	servers[0].Heal()
	servers[2].Hurt(rapisim.Refuse())
	servers[1].Forget()
	wantServedBy(t, c, servers[0]) // behind the last comes the first
	if n := servers[1].Total(); n != 0 {
		t.Errorf("the address in the middle was asked %d times on the way from the last to the first", n)
	}
}

func TestClient_StartsWhereToldTo(t *testing.T) {
	t.Parallel()
	servers, s := simulated(t, 3)
	s.Start = addressOf(t, servers[1])
	wantServedBy(t, client(t, s), servers[1])
	s.Start = ganeti.Address{Host: "elsewhere.example", Port: 5080}
	wantServedBy(t, client(t, s), servers[0])
}

func TestClient_Distrust(t *testing.T) {
	t.Parallel()
	servers, s := simulated(t, 2)
	c := client(t, s)
	wantServedBy(t, c, servers[0])
	c.Distrust(addressOf(t, servers[1])) // which does not serve
	wantServedBy(t, c, servers[0])
	c.Distrust(addressOf(t, servers[0]))
	wantServedBy(t, c, servers[1])
	c.Distrust(addressOf(t, servers[1]))
	wantServedBy(t, c, servers[0])
}

func TestClient_NoAddressServes(t *testing.T) {
	t.Parallel()
	servers, s := simulated(t, 3)
	c := client(t, s)
	servers[0].Hurt(rapisim.Status(502))
	servers[1].Hurt(rapisim.Refuse())
	servers[2].Hurt(rapisim.NoTLS())
	_, err := c.Bulk(t.Context(), ganeti.Nodes, nil)
	if err == nil {
		t.Fatal("no error")
	}
	for i, want := range []string{"502 Bad Gateway", "cannot connect", "does not speak TLS"} {
		at := servers[i].Addr() + ": GET /2/nodes?bulk=1: "
		if n := strings.Count(err.Error(), at); n != 1 || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is %d times in the error, want once with %q: %v", at, n, want, err)
		}
	}
	if !errors.Is(err, ganeti.ErrRefused) || !errors.Is(err, ganeti.ErrTLS) {
		t.Errorf("not every cause is in %v", err)
	}
	if reason := ganeti.Reason(err); reason != "status" {
		t.Errorf("reason %q, want that of the first address", reason)
	}
	servers[1].Heal()
	wantServedBy(t, c, servers[1])
	servers[1].Hurt(rapisim.Refuse())
	_, err = c.Info(t.Context())
	if reason := ganeti.Reason(err); reason != "unreachable" {
		t.Errorf("reason %q (%v), want that of the address that served last", reason, err)
	}
}

func TestClient_AFinalAnswerDecides(t *testing.T) {
	t.Parallel()
	servers, s := simulated(t, 2)
	servers[0].Hurt(rapisim.Refuse())
	_, err := client(t, s).Item(t.Context(), ganeti.Instances, "nowhere")
	var status *ganeti.StatusError
	if !errors.As(err, &status) || !errors.Is(err, ganeti.ErrNotFound) || ganeti.Reason(err) != "not_found" {
		t.Fatalf("got %v (%s), want the 404 of the second address", err, ganeti.Reason(err))
	}
	if status.Address != addressOf(t, servers[1]) {
		t.Errorf("the 404 is from %s, want the second address", status.Address)
	}
	if !strings.Contains(err.Error(), servers[0].Addr()+": GET") {
		t.Errorf("the first address is not in: %v", err)
	}
}

func TestClient_NoCredentialsForAnotherCertificate(t *testing.T) {
	t.Parallel()
	id, err := rapisim.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	cluster := rapisim.NewCluster(rapisim.Options{Username: "gwm", Password: testPassword})
	master, stranger := simulate(t, cluster), simulate(t, cluster, rapisim.WithIdentity(id))
	c := client(t, settingsOf(master, stranger))
	master.Hurt(rapisim.Status(502))
	_, err = c.Info(t.Context())
	if !errors.Is(err, ganeti.ErrPinMismatch) || ganeti.Reason(err) != "status" {
		t.Errorf("got %v (%s)", err, ganeti.Reason(err))
	}
	if n := stranger.Total(); n != 0 {
		t.Errorf("%d requests reached the address with another certificate", n)
	}
	if master.Total() != 1 {
		t.Errorf("%d requests reached the master, want 1", master.Total())
	}
}

// TestClient_ServerNameOfEachAddress has certificates checked for the host of the address that is asked.
func TestClient_ServerNameOfEachAddress(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	until := time.Now().Add(time.Hour)
	wrong := serve(t, ca.issue(t, "127.0.0.9", until), send(200, []byte("{}")))
	right := serve(t, ca.issue(t, "127.0.0.1", until), send(200, []byte(`{"right": 1}`)))
	byName := serve(t, ca.issue(t, "localhost", until), send(200, []byte(`{"name": 1}`)))
	s := ganeti.Settings{URL: wrong + "," + right, TLS: ganeti.TLS{CAFile: pemFile(t, ca.cert)}}
	a, err := client(t, s).Info(t.Context())
	if err != nil || string(a.Body) != `{"right": 1}` {
		t.Errorf("got %s, %v", a.Body, err)
	}
	s.URL = wrong + "," + strings.Replace(byName, "127.0.0.1", "localhost", 1)
	if a, err = client(t, s).Info(t.Context()); err != nil || string(a.Body) != `{"name": 1}` {
		t.Errorf("got %s, %v", a.Body, err)
	}
	s.TLS.ServerName = "127.0.0.9"
	if a, err = client(t, s).Info(t.Context()); err != nil || a.Address.String() != strings.TrimPrefix(wrong, "https://") {
		t.Errorf("with a server_name: %s, %v", a.Address, err)
	}
}

func TestClient_TotalCoversAllAddresses(t *testing.T) {
	t.Parallel()
	servers, s := simulated(t, 3)
	// What is left for the second is enough for its handshake on a busy machine.
	s.Timeouts = ganeti.Timeouts{FirstByte: 2 * time.Second, Total: 3500 * time.Millisecond}
	for _, server := range servers {
		server.Hurt(rapisim.Hang())
	}
	c := client(t, s)
	began := time.Now()
	_, err := c.Info(t.Context())
	if took := time.Since(began); took < 3450*time.Millisecond || took > 10*time.Second {
		t.Errorf("took %s, want about %s", took, s.Timeouts.Total)
	}
	if ganeti.Reason(err) != "timeout" || !strings.Contains(err.Error(), "timeouts.first_byte") ||
		!strings.Contains(err.Error(), "timeouts.total") {
		t.Errorf("got %v", err)
	}
	if servers[1].Total() != 1 || servers[2].Total() != 0 {
		t.Errorf("requests: %d and %d, want one to the second and none to the third", servers[1].Total(), servers[2].Total())
	}
	// The second had no time left; the third has had none at all.
	servers[2].Heal()
	wantServedBy(t, c, servers[2])
}

// lateContext is a context whose deadline has passed and whose timer has not run yet, as happens on a busy machine.
type lateContext struct{ context.Context } //nolint:containedctx // it is one itself

func (lateContext) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

func TestClient_NoOtherAddressAfterTheEndWhenTheTimerIsLate(t *testing.T) {
	t.Parallel()
	_, s := simulated(t, 2)
	_, err := client(t, s).Info(lateContext{t.Context()})
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ganeti.ErrTimeout) ||
		strings.Contains(err.Error(), "then") || strings.Contains(err.Error(), "timeouts.connect") {
		t.Errorf("got %v", err)
	}
}

func TestClient_AnAddressThatHangsDoesNotHideTheOthers(t *testing.T) {
	t.Parallel()
	servers, s := simulated(t, 2)
	s.Timeouts = ganeti.Timeouts{Total: 2 * time.Second} // nothing is left for the second
	servers[0].Hurt(rapisim.Hang())
	c := client(t, s)
	if _, err := c.Info(t.Context()); ganeti.Reason(err) != "timeout" {
		t.Fatalf("got %v", err)
	}
	wantServedBy(t, c, servers[1])
}

func TestClient_TheCallersEndIsTheEnd(t *testing.T) {
	t.Parallel()
	servers, s := simulated(t, 2)
	servers[0].Hurt(rapisim.Hang())
	c := client(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		if err := servers[0].Await(t.Context(), 1); err != nil {
			t.Error(err)
		}
	}()
	if _, err := c.Info(ctx); ganeti.Reason(err) != "canceled" {
		t.Errorf("got %v", err)
	}
	if n := servers[1].Total(); n != 0 {
		t.Errorf("the second address was asked %d times after the caller left", n)
	}
	late, cancelLate := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancelLate()
	if _, err := c.Info(late); ganeti.Reason(err) != "timeout" || servers[1].Total() != 0 {
		t.Errorf("got %v, and %d requests to the second address", err, servers[1].Total())
	}
}

// TestClient_FailoverUnderLoad has many goroutines use one client while the master moves to and fro: every answer is
// whole, and says truly where it is from.
func TestClient_FailoverUnderLoad(t *testing.T) {
	t.Parallel()
	servers, s := simulated(t, 2)
	c := client(t, s)
	servers[0].Hurt(rapisim.Status(502).For(40))
	known := map[ganeti.Address]bool{addressOf(t, servers[0]): true, addressOf(t, servers[1]): true}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				d, err := c.Bulk(t.Context(), ganeti.Instances, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if d.Items != 10 || !known[d.Address] {
					t.Errorf("%d items from %s", d.Items, d.Address)
				}
				c.Distrust(d.Address)
			}
		})
	}
	wg.Wait()
}
