package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"

	"ganeticache/db"
	"ganeticache/updater"
)

// statusTimeout is how long the status line may wait for the database.
const statusTimeout = 5 * time.Second

// notifier tells systemd what the daemon does, by sd_notify(3): ready, reloading, stopping, a status line, and the
// heartbeat that its watchdog wants. Where nobody listens ($NOTIFY_SOCKET is not set) it says nothing.
type notifier struct {
	store freshnessStore
	log   *zap.Logger
	// interval is how often the scheduler must be heard for the watchdog to be content; zero where there is none.
	interval time.Duration
	// beats carries the scheduler's heartbeats; stale asks for a new status line.
	beats, stale chan struct{}
	// deaf has the log say once that systemd cannot be told.
	deaf sync.Once
}

// freshnessStore is what the status line needs of the database; *db.Store has it.
type freshnessStore interface {
	KindFreshness(ctx context.Context, k db.Kind, clusters []string) ([]db.ClusterFreshness, error)
}

// newNotifier reads from the environment whether and how often systemd wants to hear from this process.
func newNotifier(store freshnessStore, log *zap.Logger) (*notifier, error) {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return nil, fmt.Errorf("reading the watchdog's time from WATCHDOG_USEC: %w", err)
	}
	n := &notifier{store: store, log: log, beats: make(chan struct{}, 1), stale: make(chan struct{}, 1)}
	if limit > 0 {
		// sd_watchdog_enabled(3) recommends half of the limit; the schedule counts in whole seconds.
		n.interval = max(min(limit/2, updater.BeatInterval).Truncate(time.Second), time.Second)
	}
	return n, nil
}

// beat passes a heartbeat of the scheduler on. It has the form of [updater.Options].OnBeat and never blocks.
func (n *notifier) beat() { wake(n.beats) }

// run passes on what is to be said until ctx ends. Nothing but the scheduler's own heartbeat feeds the watchdog, and a
// database that is slow to tell the status does not keep it waiting.
func (n *notifier) run(ctx context.Context) {
	var status sync.WaitGroup
	status.Go(func() { n.keepStatus(ctx) })
	begun := false
	for {
		select {
		case <-n.beats:
			if !begun {
				n.send(daemon.SdNotifyReady)
				begun = true
			}
			n.send(daemon.SdNotifyWatchdog)
			wake(n.stale)
		case <-ctx.Done():
			status.Wait() // or its line could come last
			n.send(daemon.SdNotifyStopping + "\nSTATUS=finishing the running refreshes")
			return
		}
	}
}

// idle stands in for run while there is no scheduler: it says that the daemon is ready and what it waits for, and feeds the
// watchdog until ctx ends.
func (n *notifier) idle(ctx context.Context, status string) {
	n.send(daemon.SdNotifyReady + "\nSTATUS=" + status)
	if n.interval == 0 {
		return
	}
	beat := time.NewTicker(n.interval)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			n.send(daemon.SdNotifyWatchdog)
		}
	}
}

// reloading says that the configuration is being read again; reloaded must follow.
func (n *notifier) reloading() {
	n.send(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}

// reloaded says that this is done, whether or not the new configuration is in force.
func (n *notifier) reloaded(ctx context.Context) {
	if ctx.Err() == nil {
		n.send(daemon.SdNotifyReady)
	}
	wake(n.stale)
}

// keepStatus sends the status line whenever it has changed.
func (n *notifier) keepStatus(ctx context.Context) {
	var last string
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.stale:
		}
		if line := n.status(ctx); line != last && ctx.Err() == nil {
			n.send("STATUS=" + line)
			last = line
		}
	}
}

// status sums up how fresh the VMs of the enabled clusters are, whichever replica refreshes them.
func (n *notifier) status(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	clusters, err := n.store.KindFreshness(ctx, db.KindVM, nil)
	if err != nil {
		return "the database does not answer"
	}
	fresh, waiting := 0, 0
	var failing []string
	for _, c := range clusters {
		switch {
		case !c.Enabled:
		case c.Error != "":
			failing = append(failing, c.Cluster)
		case c.RefreshedAt == nil:
			waiting++
		default:
			fresh++
		}
	}
	line := fmt.Sprintf("clusters: %d fresh, %d failing", fresh, len(failing))
	if len(failing) > 0 {
		line += " (" + someOf(failing) + ")"
	}
	if waiting > 0 {
		line += fmt.Sprintf(", %d not yet refreshed", waiting)
	}
	return line
}

// someOf lists the first names: the status is one line.
func someOf(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// send gives systemd one message. A failure is nothing that the work of the daemon could suffer from.
func (n *notifier) send(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		n.deaf.Do(func() {
			n.log.Warn("telling systemd failed; it may kill a process that sends no heartbeat", zap.Error(err))
		})
	}
}

// wake puts a token into a channel that holds one, unless it is there already.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
