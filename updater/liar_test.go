package updater_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/robfig/cron/v3"

	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

// script writes an answer, from the status line on. What it writes may be anything; an error of the writer means that the
// client has left.
type script func(conn *tls.Conn)

// whole answers as RAPI does.
func whole(body string) script {
	return raw(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", len(body)) + body)
}

// raw sends just these bytes.
func raw(text string) script {
	return func(conn *tls.Conn) { send(conn, text) }
}

// send reports whether the client still listens.
func send(conn *tls.Conn, text string) bool {
	_, err := io.WriteString(conn, text)
	return err == nil
}

// liar is a RAPI that tells the truth of a simulated cluster until it is told to lie.
type liar struct {
	url, pin string
	config   *tls.Config // one for all connections, so that sessions are resumed
	// items are the VMs as RAPI sends them; info and others are whole bodies.
	items  []string
	bodies map[string]string

	mu   sync.Mutex
	lies map[string]script
	open map[net.Conn]bool
}

// newLiar starts one with so many VMs. It is gone when the test ends.
func newLiar(t *testing.T, vms int) *liar {
	t.Helper()
	l := &liar{bodies: map[string]string{}, lies: map[string]script{}, open: map[net.Conn]bool{}}
	l.learn(t, vms)
	cert := certificate(t)
	l.pin = ganeti.Pin(cert.Leaf)
	l.config = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	l.url = "https://" + listener.Addr().String()
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			l.keep(conn, true)
			serving.Go(func() {
				defer l.keep(conn, false)
				defer conn.Close()
				l.serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		l.mu.Lock()
		for conn := range l.open {
			conn.Close()
		}
		l.mu.Unlock()
		serving.Wait()
	})
	return l
}

// learn asks a simulated cluster for every answer.
func (l *liar) learn(t *testing.T, vms int) {
	t.Helper()
	s, err := rapisim.NewServer(rapisim.NewCluster(rapisim.Options{Name: "prod.example", Seed: 7, VMs: vms, Nodes: 3, Networks: 1, Jobs: 2, Username: "gwm", Password: password}))
	must(t, err)
	defer s.Close()
	c, err := ganeti.New(ganeti.Settings{URL: s.URL(), Username: "gwm", Password: password, TLS: ganeti.TLS{PinSHA256: s.Pin()}})
	must(t, err)
	info, err := c.Info(t.Context())
	must(t, err)
	l.bodies["/2/info"] = string(info.Body) + "\n"
	for _, r := range []ganeti.Resource{ganeti.Instances, ganeti.Nodes, ganeti.Groups, ganeti.Networks, ganeti.Jobs} {
		d, err := c.Bulk(t.Context(), r, nil)
		must(t, err)
		var items []string
		for _, item := range d.Each() {
			items = append(items, string(item))
		}
		l.bodies[string(r)] = list(items...)
		if r == ganeti.Instances {
			l.items = items
		}
	}
}

// list writes items as RAPI does.
func list(items ...string) string { return "[" + strings.Join(items, ", ") + "]\n" }

func (l *liar) keep(conn net.Conn, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if open {
		l.open[conn] = true
	} else {
		delete(l.open, conn)
	}
}

// lie has a path answered by a script, until it is healed.
func (l *liar) lie(path string, s script) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lies[path] = s
}

// heal ends all lies.
func (l *liar) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.lies)
}

func (l *liar) serve(plain net.Conn) {
	conn := tls.Server(plain, l.config)
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	l.mu.Lock()
	answer, lies := l.lies[req.URL.Path]
	l.mu.Unlock()
	if !lies {
		answer = whole(l.bodies[req.URL.Path])
	}
	answer(conn)
	if conn.CloseWrite() == nil {
		untilClosed(conn)
	}
}

// untilClosed waits for the client to leave.
func untilClosed(conn net.Conn) {
	_, err := io.Copy(io.Discard, conn)
	if err != nil {
		return // it left without saying so
	}
}

// certificate is a self-signed one, to be pinned.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "liar"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// lyingRig is an engine whose one cluster, prod, is a liar; it has learnt the truth. Answers are limited to maxBody bytes.
func lyingRig(t *testing.T, store *db.Store, vms int, maxBody int64) (*rig, *liar) {
	t.Helper()
	l := newLiar(t, vms)
	r := newRig(t, store, rapisim.Options{})
	r.opts.Clusters = []updater.Cluster{{
		Name: "prod",
		Settings: func() (ganeti.Settings, error) {
			return ganeti.Settings{
				URL: l.url, Username: "gwm", Password: password, TLS: ganeti.TLS{PinSHA256: l.pin},
				Timeouts: ganeti.Timeouts{Total: r.patience}, MaxBody: maxBody,
			}, nil
		},
		Schedules: map[db.Kind]cron.Schedule{db.KindVM: every(time.Minute)},
	}}
	r.restart()
	r.mustRefresh("prod")
	return r, l
}

// liveRow is a VM that is no tombstone.
type liveRow struct {
	ID          int64   `db:"id"`
	UUID        string  `db:"uuid"`
	Name        string  `db:"name"`
	Status      string  `db:"status"`
	PrimaryNode string  `db:"primary_node"`
	SerialNo    *int64  `db:"serial_no"`
	Tags        db.List `db:"tags"`
	Info        string  `db:"info"`
}

// live are the rows of all VMs that are no tombstones.
func (r *rig) live() []liveRow {
	r.t.Helper()
	var rows []liveRow
	r.query(&rows, "SELECT id, uuid, name, status, primary_node, serial_no, tags, info FROM virtual_machines WHERE deleted_at IS NULL ORDER BY uuid")
	return rows
}

// stampedAt is when the VMs of the cluster prod were last called fresh.
func (r *rig) stampedAt() time.Time {
	r.t.Helper()
	var at []time.Time
	r.query(&at, "SELECT refreshed_at FROM freshness WHERE kind = 'vm'")
	return at[0]
}
