package config_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func TestLoad_UnreadableFile(t *testing.T) {
	t.Parallel()
	o := options(t, "concurrency: 1")
	if err := os.Chmod(o.File, 0); err != nil {
		t.Fatal(err)
	}
	var got string
	asNobody(t, func() { got = strings.Join(problems(t, o), "\n") })
	if want := filepath.Base(o.File) + " cannot be read by user id "; !strings.Contains(got, want) {
		t.Errorf("got %q, want it to contain %q", got, want)
	}
}

// asNobody runs f without root's right to read everything, if it is root that runs the tests.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		// The thread is never unlocked, so that it ends together with this goroutine and its lesser rights.
		runtime.LockOSThread()
		if os.Getuid() == 0 {
			if err := syscall.Setfsuid(65534); err != nil {
				t.Errorf("dropping root's rights: %v", err)
				return
			}
		}
		f()
	}()
	<-done
}
