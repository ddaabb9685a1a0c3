package trial

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
)

// weatherType is the name under which the toxic is known to toxiproxy.
const weatherType = "trial_weather"

// weather is what all connections of a front meet right now. It changes under live connections, which toxiproxy's own
// toxics cannot do without risk: replacing one waits for ever behind a peer that does not read.
type weather struct {
	mu      sync.Mutex
	stalled bool
	garbled bool
	rng     *rand.Rand
	changed chan struct{} // closed when the weather changes
}

func newWeather() *weather {
	return &weather{rng: rand.New(rand.NewPCG(1, 2)), changed: make(chan struct{})}
}

func (w *weather) set(stalled, garbled bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stalled, w.garbled = stalled, garbled
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *weather) look() (stalled bool, changed <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stalled, w.changed
}

// touch flips a bit in about one of three chunks while the weather garbles.
func (w *weather) touch(c *stream.StreamChunk) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.garbled && len(c.Data) > 0 && w.rng.IntN(3) == 0 {
		c.Data[w.rng.IntN(len(c.Data))] ^= byte(1 << w.rng.IntN(8))
	}
}

// weatherToxic is the toxic by which one direction of a proxy's connections meets the weather. gone is closed with the
// proxy. What comes waits for the lag, however fair the weather.
type weatherToxic struct {
	weather *weather
	lag     time.Duration
	gone    <-chan struct{}
}

// Pipe implements [toxics.Toxic].
func (t *weatherToxic) Pipe(stub *toxics.ToxicStub) {
	for {
		select {
		case <-stub.Interrupt:
			return
		case <-t.gone:
			stub.Close()
			return
		case c := <-stub.Input:
			if c == nil {
				stub.Close()
				return
			}
			if !t.pass(stub, c) {
				return
			}
		}
	}
}

// pass sends a chunk on once the weather lets it; false when the connection is over.
func (t *weatherToxic) pass(stub *toxics.ToxicStub, c *stream.StreamChunk) bool {
	for {
		stalled, changed := t.weather.look()
		if !stalled {
			break
		}
		select {
		case <-changed:
		case <-t.gone:
			stub.Close()
			return false
		}
	}
	t.weather.touch(c)
	if t.lag > 0 {
		select {
		case <-time.After(time.Until(c.Timestamp.Add(t.lag))):
		case <-t.gone:
			stub.Close()
			return false
		}
	}
	select {
	case stub.Output <- c:
		return true
	case <-t.gone:
		stub.Close()
		return false
	}
}
