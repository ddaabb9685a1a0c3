package api

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxLimiters bounds the table of limiters: who has not asked for longest is forgotten first.
const maxLimiters = 4096

// limiters limits the rate of requests for each key: a token's name, or an address. Safe for concurrent use.
type limiters struct {
	limit rate.Limit
	burst int
	now   func() time.Time

	mu    sync.Mutex
	byKey map[string]*list.Element
	order *list.List // of *keyed, the one that asked last in front
}

type keyed struct {
	key     string
	limiter *rate.Limiter
}

// newLimiters allows perSecond requests a second for each key, and a burst of twice that.
func newLimiters(perSecond int, now func() time.Time) *limiters {
	return &limiters{
		limit: rate.Limit(perSecond), burst: max(10, 2*perSecond), now: now,
		byKey: map[string]*list.Element{}, order: list.New(),
	}
}

// allow counts a request, and says how long to wait if there were too many.
func (l *limiters) allow(key string) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, found := l.byKey[key]
	if !found {
		if l.order.Len() >= maxLimiters {
			oldest := l.order.Back()
			if k, isKeyed := l.order.Remove(oldest).(*keyed); isKeyed {
				delete(l.byKey, k.key)
			}
		}
		e = l.order.PushFront(&keyed{key: key, limiter: rate.NewLimiter(l.limit, l.burst)})
		l.byKey[key] = e
	}
	l.order.MoveToFront(e)
	k, isKeyed := e.Value.(*keyed)
	if !isKeyed || k.limiter.AllowN(l.now(), 1) {
		return 0, true
	}
	return time.Duration(float64(time.Second) / float64(l.limit)), false
}

// addressKey is the address of a client without its port; whoever has an IPv6 address has a /64 of them.
func addressKey(remote string) string {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return "unknown"
	}
	a := ap.Addr().Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return "address " + p.String()
		}
	}
	return "address " + a.String()
}
