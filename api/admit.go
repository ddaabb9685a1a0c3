package api

import (
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// The reasons for which the gate refuses a request, as the metric has them.
const (
	refusedHost    = "host"
	refusedSite    = "cross_site"
	refusedToken   = "token"
	refusedRate    = "rate"
	refusedRefresh = "refresh_rate"
)

// countRefused makes the counter of refused requests.
func countRefused(r prometheus.Registerer) (*prometheus.CounterVec, error) {
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ganeti_updater_api_refused_total", Help: "Requests that the HTTP server refused before anything was looked up, by reason.",
	}, []string{"reason"})
	for _, reason := range []string{refusedHost, refusedSite, refusedToken, refusedRate, refusedRefresh} {
		refused.WithLabelValues(reason)
	}
	if r == nil {
		return refused, nil
	}
	if err := r.Register(refused); err != nil {
		return nil, fmt.Errorf("registering the metrics of the HTTP server: %w", err)
	}
	return refused, nil
}

// refuse counts a refusal.
func (g *gate) refuse(reason string, err error) error {
	g.refused.WithLabelValues(reason).Inc()
	return err
}

// admit says who asks, and refuses who may not, or asks too often.
func (g *gate) admit(r *http.Request, pattern string) (caller, error) {
	address := addressKey(r.RemoteAddr)
	if !needsToken(pattern) {
		if !g.hosts.knows(r.Host) {
			return caller{}, g.refuse(refusedHost, problem(http.StatusMisdirectedRequest,
				"this server is not known by that name: ask by its address, or list the name in api.hosts"))
		}
		return g.watching(r), g.tooMany(g.perKey.allow(address))
	}
	if err := g.origins.Check(r); err != nil {
		return caller{}, g.refuse(refusedSite, foreignSite())
	}
	key, who := address, local()
	if g.tokens != nil {
		holder, err := g.owner(r, address)
		if err != nil {
			return caller{}, err
		}
		key, who = "token "+holder.name, holder
	} else if !localHost(r.Host) && !g.hosts.listed(r.Host) {
		// A page that rebinds its own name to 127.0.0.1 still sends that name.
		return caller{}, g.refuse(refusedHost, problem(http.StatusMisdirectedRequest,
			"without tokens the API answers only to localhost, 127.0.0.1, [::1] and the names in api.hosts"))
	}
	if err := g.tooMany(g.perKey.allow(key)); err != nil {
		return caller{}, err
	}
	return g.admitAsking(r, pattern, key, who)
}

// admitAsking judges who may have Ganeti asked: no page of another site, and nobody too often.
func (g *gate) admitAsking(r *http.Request, pattern, key string, who caller) (caller, error) {
	who.foreign = fromAnotherSite(r)
	if !asks(r, pattern) {
		return who, nil
	}
	if who.foreign {
		return caller{}, g.refuse(refusedSite, foreignSite())
	}
	if wait, ok := g.asking.allow(key); !ok {
		return caller{}, g.refuse(refusedRefresh, retryLater(http.StatusTooManyRequests, wait,
			"too many requests that have Ganeti asked; ask less often, or take what is cached (api.refresh_rate)"))
	}
	return who, nil
}

func foreignSite() error {
	return problem(http.StatusForbidden, "a browser sent this for another site's page, which may not have Ganeti asked; take what is cached (cache=only), or ask from a program")
}

// owner finds the holder of the token, and slows down whoever guesses.
func (g *gate) owner(r *http.Request, address string) (caller, error) {
	who, err := g.identify(r)
	if err == nil {
		return who, nil
	}
	if wait, ok := g.failed.allow(address); !ok {
		return caller{}, g.tooMany(wait, ok)
	}
	if g.said.Allow() {
		g.log.Info("refused a request without a valid token", zap.String("address", r.RemoteAddr))
	}
	return caller{}, g.refuse(refusedToken, err)
}

func (g *gate) tooMany(wait time.Duration, ok bool) error {
	if ok {
		return nil
	}
	return g.refuse(refusedRate, retryLater(http.StatusTooManyRequests, wait, "too many requests; ask less often (api.rate)"))
}
