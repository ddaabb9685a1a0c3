package db_test

import (
	"bytes"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// fault is what a proxy does.
type fault int32

const (
	none fault = iota
	// cutAtCommit ends the connection instead of forwarding a COMMIT; cutAfterCommit instead of forwarding its answer.
	cutAtCommit
	cutAfterCommit
	// swallow forwards nothing any more and keeps the connection.
	swallow
)

// proxy stands between a store and its server, on a socket.
type proxy struct {
	url   string
	fault atomic.Int32
	// commits counts those that came.
	commits atomic.Int32

	socket string
	conns  sync.Map
	work   sync.WaitGroup
}

// newProxy stands in front of the server of a URL. A fault is over when it has happened once, but for swallow.
func newProxy(t *testing.T, address string) *proxy {
	t.Helper()
	before, dir, _ := strings.Cut(address, "host=")
	mine := t.TempDir()
	p := &proxy{url: before + "host=" + mine, socket: filepath.Join(dir, ".s.PGSQL.5432")}
	listener := must(net.Listen("unix", filepath.Join(mine, ".s.PGSQL.5432")))(t)
	p.work.Go(func() { p.accept(listener) })
	t.Cleanup(func() {
		listener.Close()
		p.conns.Range(func(conn, _ any) bool { conn.(net.Conn).Close(); return true })
		p.work.Wait()
	})
	return p
}

func (p *proxy) set(f fault) { p.fault.Store(int32(f)) }

func (p *proxy) is(f fault) bool { return fault(p.fault.Load()) == f }

func (p *proxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", p.socket)
		if err != nil {
			client.Close()
			continue
		}
		p.conns.Store(client, nil)
		p.conns.Store(server, nil)
		var cut atomic.Bool
		p.work.Go(func() { p.forward(server, client, &cut) })
		p.work.Go(func() { p.back(client, server, &cut) })
	}
}

// forward takes what the client sends to the server. A COMMIT comes in one piece.
func (p *proxy) forward(server, client net.Conn, cut *atomic.Bool) {
	defer server.Close()
	defer client.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("Q\x00\x00\x00\x0bCOMMIT\x00")) {
			p.commits.Add(1)
			if p.fault.CompareAndSwap(int32(cutAtCommit), int32(none)) {
				return
			}
			if p.fault.CompareAndSwap(int32(cutAfterCommit), int32(none)) {
				cut.Store(true)
			}
		}
		if p.is(swallow) {
			continue
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// back takes what the server says to the client.
func (p *proxy) back(client, server net.Conn, cut *atomic.Bool) {
	defer server.Close()
	defer client.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil || cut.Load() {
			return
		}
		if p.is(swallow) {
			continue
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}
