package trial_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"ganeticache/test/trial"
)

// echo starts a server that sends every line back.
func echo(t *testing.T) string {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := io.Copy(conn, conn); err != nil {
					return // the proxy cut it
				}
			}()
		}
	}()
	return l.Addr().String()
}

func front(t *testing.T) *trial.Front {
	t.Helper()
	f, err := trial.NewFront("echo", echo(t), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func dial(t *testing.T, f *trial.Front) (net.Conn, error) {
	t.Helper()
	var d net.Dialer
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	conn, err := d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", f.Port()))
	if err == nil {
		t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

// say sends a line and returns what comes back within the time.
func say(conn net.Conn, line string, patience time.Duration) (string, error) {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		return "", err
	}
	back, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSuffix(back, "\n"), err
}

const patience = 10 * time.Second

// mustEcho makes sure that a connection works.
func mustEcho(t *testing.T, conn net.Conn, line string) {
	t.Helper()
	if back, err := say(conn, line, patience); err != nil || back != line {
		t.Fatalf("sent %q, got %q, %v", line, back, err)
	}
}

func mustDial(t *testing.T, f *trial.Front) net.Conn {
	t.Helper()
	conn, err := dial(t, f)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func hurt(t *testing.T, f *trial.Front, h trial.Harm) {
	t.Helper()
	if err := f.Hurt(h); err != nil {
		t.Fatal(err)
	}
}

func heal(t *testing.T, f *trial.Front) {
	t.Helper()
	if err := f.Heal(); err != nil {
		t.Fatal(err)
	}
}

func TestFront_cut(t *testing.T) {
	f := front(t)
	old := mustDial(t, f)
	mustEcho(t, old, "before")
	hurt(t, f, trial.Cut)
	if back, err := say(old, "during", patience); err == nil {
		t.Errorf("a connection that was cut answered %q", back)
	}
	if _, err := dial(t, f); err == nil {
		t.Error("a connection could be made while all are cut")
	}
	heal(t, f)
	mustEcho(t, mustDial(t, f), "after")
}

func TestFront_reset(t *testing.T) {
	f := front(t)
	hurt(t, f, trial.Reset)
	if conn, err := dial(t, f); err == nil {
		if back, err := say(conn, "hello", patience); err == nil {
			t.Errorf("a connection that is to be reset answered %q", back)
		}
	}
	heal(t, f)
	mustEcho(t, mustDial(t, f), "after")
}

func TestFront_stall(t *testing.T) {
	f := front(t)
	conn := mustDial(t, f)
	mustEcho(t, conn, "before")
	hurt(t, f, trial.Stall)
	if back, err := say(conn, "held", 200*time.Millisecond); err == nil || !isTimeout(err) {
		t.Fatalf("a stalled connection answered %q, %v", back, err)
	}
	heal(t, f)
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if back, err := bufio.NewReader(conn).ReadString('\n'); err != nil || back != "held\n" {
		t.Errorf("after the stall came %q, %v; want what was held", back, err)
	}
}

func isTimeout(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) && netErr.Timeout()
}

func TestFront_garble(t *testing.T) {
	f := front(t)
	hurt(t, f, trial.Garble)
	conn, garbled := mustDial(t, f), false
	for i := 0; i < 100 && !garbled; i++ {
		line := strings.Repeat("x", 50)
		back, err := say(conn, line, patience)
		garbled = err != nil || back != line
	}
	if !garbled {
		t.Error("100 lines came back as they were sent")
	}
	heal(t, f)
	mustEcho(t, mustDial(t, f), "after")
}

func TestFront_delay(t *testing.T) {
	f := front(t)
	hurt(t, f, trial.Delay)
	conn := mustDial(t, f)
	begun := time.Now()
	mustEcho(t, conn, "late")
	if took := time.Since(begun); took < 500*time.Millisecond {
		t.Errorf("a delayed line came back after %s", took)
	}
}

func TestFront_limit(t *testing.T) {
	f := front(t)
	hurt(t, f, trial.Limit)
	if back, err := say(mustDial(t, f), strings.Repeat("x", 10_000), patience); err == nil {
		t.Errorf("10,000 bytes came through whole (%d)", len(back))
	}
}
