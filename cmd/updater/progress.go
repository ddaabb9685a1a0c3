package main

import (
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"

	"ganeticache/printable"
)

// maxBars is how many clusters get a bar of their own; more of them share one, or they would fill the screen.
const maxBars = 20

// refreshProgress shows the refreshes on a terminal. Safe for concurrent use.
type refreshProgress struct {
	w        progress.Writer
	trackers map[string]*progress.Tracker
	all      *progress.Tracker
	done     chan struct{}
}

func newProgress(out io.Writer, clusters []string) *refreshProgress {
	w := progress.NewWriter()
	w.SetOutputWriter(out)
	w.SetAutoStop(false)
	w.SetTrackerLength(25)
	w.SetUpdateFrequency(100 * time.Millisecond)
	w.SetStyle(progress.StyleBlocks)
	w.Style().Visibility.ETA = false
	w.Style().Visibility.Value = false
	w.Style().Visibility.Speed = false
	p := &refreshProgress{w: w, trackers: map[string]*progress.Tracker{}, done: make(chan struct{})}
	if len(clusters) > maxBars {
		p.all = &progress.Tracker{Message: "clusters", Total: int64(len(clusters))}
		w.AppendTracker(p.all)
	} else {
		for _, name := range clusters {
			t := &progress.Tracker{Message: printable.Text(name), Total: 1}
			p.trackers[name] = t
			w.AppendTracker(t)
		}
	}
	go func() {
		defer close(p.done)
		w.Render()
	}()
	return p
}

// step moves a cluster's bar on; it has the form of [updater.Updater.Once]'s progress.
func (p *refreshProgress) step(cluster, step string, done, total int) {
	if p.all != nil {
		if done == total {
			p.all.Increment(1)
		}
		return
	}
	t := p.trackers[cluster]
	t.UpdateTotal(int64(total))
	if done == total {
		step = ""
	}
	t.UpdateMessage(strings.TrimSpace(cluster + " " + step))
	t.SetValue(int64(done))
}

// stop removes nothing: the bars stay on the screen as they are. A refresh that failed leaves its bar where it failed.
func (p *refreshProgress) stop() {
	for _, t := range p.trackers {
		if !t.IsDone() {
			t.MarkAsErrored()
		}
	}
	p.w.Stop()
	<-p.done
}
