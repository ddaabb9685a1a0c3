package trial

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/toxics"
)

// Harm is what a [Front] does to connections.
type Harm string

// The harms. Cut closes every connection and refuses new ones; Reset resets new ones at their first byte; Delay adds 300
// to 600 ms each way; Slow lets 4 KiB a second through; Limit ends a connection after 3,000 bytes of answer; Stall holds
// everything, and lets it go when healed; Garble flips bits. Garble is for TLS connections only: PostgreSQL's protocol
// in clear text has no checksum, so that nobody could tell.
const (
	Cut    Harm = "cut"
	Reset  Harm = "reset"
	Delay  Harm = "delay"
	Slow   Harm = "slow"
	Limit  Harm = "limit"
	Stall  Harm = "stall"
	Garble Harm = "garble"
)

// toxic is a toxic in toxiproxy's own notation.
type toxic struct {
	Name       string         `json:"name"`
	Type       string         `json:"type"`
	Stream     string         `json:"stream"`
	Attributes map[string]any `json:"attributes"`
}

// toxicsOf returns what toxiproxy itself has for a harm; the others are done by the weather, or by no proxy at all.
func toxicsOf(h Harm) []toxic {
	const down, up = "downstream", "upstream"
	switch h {
	case Reset:
		return []toxic{{"reset", "reset_peer", down, map[string]any{"timeout": 0}}}
	case Delay:
		latency := map[string]any{"latency": 450, "jitter": 150}
		return []toxic{{"delay-down", "latency", down, latency}, {"delay-up", "latency", up, latency}}
	case Slow:
		return []toxic{
			{"slow", "bandwidth", down, map[string]any{"rate": 4}},
			{"slices", "slicer", down, map[string]any{"average_size": 256, "size_variation": 128, "delay": 1000}},
		}
	case Limit:
		return []toxic{{"limit", "limit_data", down, map[string]any{"bytes": 3000}}}
	case Cut, Stall, Garble:
	}
	return nil
}

// Front is a TCP proxy before one server, made of toxiproxy. Its port stays the same. Safe for concurrent use.
//
// A harm that toxiproxy's own toxics do comes with a new proxy on the same port, and so does its end: connections that
// live through either are cut. Toxics of a live proxy are never changed, which deadlocks behind a peer that does not read.
type Front struct {
	name, upstream string
	port           int
	lag            time.Duration
	weather        *weather

	mu    sync.Mutex
	proxy *toxiproxy.Proxy // nil while cut
	gone  chan struct{}
	plain bool // the proxy has no toxics but the weather
}

// NewFront starts a proxy before upstream, host:port. Answers wait for the lag, as they do on a network: it widens the
// moment between an answer's making and its arrival, in which whoever is careless about time goes wrong.
func NewFront(name, upstream string, lag time.Duration) (*Front, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	toxics.Register(weatherType, new(weatherToxic))
	f := &Front{name: name, upstream: upstream, port: port, lag: lag, weather: newWeather()}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.open(nil); err != nil {
		return nil, err
	}
	return f, nil
}

// Port is where the front listens, on 127.0.0.1.
func (f *Front) Port() int { return f.port }

// Hurt begins a harm, and ends the one before.
func (f *Front) Hurt(h Harm) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.weather.set(h == Stall, h == Garble)
	switch list := toxicsOf(h); {
	case h == Cut:
		f.shut()
		return nil
	case len(list) > 0 || !f.plain:
		f.shut()
		return f.open(list)
	}
	return nil
}

// Heal ends the harm. What was stalled flows on.
func (f *Front) Heal() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.weather.set(false, false)
	if f.plain {
		return nil
	}
	f.shut()
	return f.open(nil)
}

// Close ends the proxy and its connections.
func (f *Front) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shut()
}

// shut is called with mu held, like open.
func (f *Front) shut() {
	if f.proxy != nil {
		close(f.gone)
		f.proxy.Stop()
		f.proxy = nil
	}
	f.plain = false
}

// portPatience bounds the wait for the port, which some outgoing connection may have taken while it was free.
const portPatience = 30 * time.Second

func (f *Front) open(list []toxic) error {
	deadline := time.Now().Add(portPatience)
	for {
		proxy, gone, err := f.build(list)
		if err != nil {
			return err
		}
		if err = proxy.Start(); err == nil {
			f.proxy, f.gone, f.plain = proxy, gone, len(list) == 0
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("listening on port %d for %s: %w", f.port, f.name, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// build makes a proxy with its toxics, while there is no connection yet that could be in the way.
func (f *Front) build(list []toxic) (*toxiproxy.Proxy, chan struct{}, error) {
	server := toxiproxy.ApiServer{Metrics: toxiproxy.NewMetricsContainer(nil)}
	server.Logger = silent(server.Logger)
	proxy := toxiproxy.NewProxy(&server, f.name, net.JoinHostPort("127.0.0.1", strconv.Itoa(f.port)), f.upstream)
	gone := make(chan struct{})
	for _, way := range []string{"upstream", "downstream"} {
		w, err := add(proxy, toxic{Name: "weather-" + way, Type: weatherType, Stream: way})
		if err != nil {
			return nil, nil, err
		}
		meets := &weatherToxic{weather: f.weather, gone: gone}
		if way == "downstream" {
			meets.lag = f.lag
		}
		w.Toxic = meets
	}
	for _, t := range list {
		if _, err := add(proxy, t); err != nil {
			return nil, nil, err
		}
	}
	return proxy, gone, nil
}

// silent returns a logger of the library's type that says nothing, without making its package a dependency of ours.
func silent[L any](*L) *L { return new(L) }

func add(proxy *toxiproxy.Proxy, t toxic) (*toxics.ToxicWrapper, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("encoding the toxic %s: %w", t.Name, err)
	}
	w, err := proxy.Toxics.AddToxicJson(strings.NewReader(string(text)))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("adding the toxic %s", t.Name), err)
	}
	return w, nil
}
