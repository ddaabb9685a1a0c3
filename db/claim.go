package db

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/gofrs/flock"
)

// ErrRefreshedElsewhere means that another process refreshes into this SQLite file.
var ErrRefreshedElsewhere = errors.New("another updater refreshes into this SQLite file")

// claim is the right to refresh into a database. PostgreSQL gives it to everyone: leases and generations sort them out.
// SQLite has one writer, and no clock that two machines share: one process at a time refreshes, and the lock dies with it,
// however it dies. Readers, grants and edits of the clusters need no claim.
type claim struct {
	// path of the file that is locked; "" where nothing needs to be.
	path string

	mu   sync.Mutex
	uses int
	lock *flock.Flock
}

// Claim takes the right to refresh into this database; the returned function gives it back. Claims of one Store add up.
// ErrRefreshedElsewhere when another process has it. With the first claim, replicas that died are forgotten: nobody needs
// to wait for their lease time.
func (s *Store) Claim(ctx context.Context) (release func() error, err error) {
	c := &s.claim
	if c.path == "" {
		return func() error { return nil }, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.uses == 0 {
		if err := c.acquire(); err != nil {
			return nil, err
		}
		if _, err := s.writer.ExecContext(ctx, "DELETE FROM replicas"); err != nil {
			return nil, errors.Join(fmt.Errorf("forgetting dead replicas: %w", err), c.lock.Close())
		}
	}
	c.uses++
	return sync.OnceValue(c.release), nil
}

func (c *claim) acquire() error {
	lock := flock.New(c.path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("locking %s: %w", c.path, err)
	}
	if !got {
		return fmt.Errorf("%w%s: let it do the work, or stop it; for several at a time use PostgreSQL",
			ErrRefreshedElsewhere, c.other())
	}
	c.lock = lock
	// For the sentence above, in another process.
	if err := os.WriteFile(c.path, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o600); err != nil {
		return errors.Join(fmt.Errorf("noting the process in %s: %w", c.path, err), lock.Close())
	}
	return nil
}

// other names the process that has the lock, if it says so.
func (c *claim) other() string {
	content, err := os.ReadFile(c.path)
	if pid := strings.TrimSpace(string(content)); err == nil && pid != "" {
		return " (process " + pid + ")"
	}
	return ""
}

// release gives one claim back. The file stays: removing it would let two processes lock two files of the same name.
func (c *claim) release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.uses--; c.uses > 0 {
		return nil
	}
	if err := c.lock.Close(); err != nil {
		return fmt.Errorf("unlocking %s: %w", c.path, err)
	}
	return nil
}
