package updater

import (
	"context"
	"time"

	"ganeticache/db"
	"ganeticache/ganeti"
)

// measured counts what a cluster's RAPI is asked, whoever asks: the schedule, an operator or a reader. One goroutine uses it.
type measured struct {
	src     Source
	cluster string
	metrics *metrics
	clock   *clock
	// draw gives each request its ticket before it is sent; ticket is that of the last one.
	draw   func(ctx context.Context) (db.Ticket, error)
	ticket db.Ticket
	// spent is how long all requests took.
	spent time.Duration
}

// connect gives the client for a cluster's settings.
func (u *Updater) connect(cluster string, s ganeti.Settings) (*measured, error) {
	src, err := u.opts.Connect(s)
	if err != nil {
		return nil, err
	}
	return &measured{src: src, cluster: cluster, metrics: u.metrics, clock: u.clock, draw: u.ticket}, nil
}

// ask draws the ticket of a request. What answers it is as new as the ticket, and of its time.
func (s *measured) ask(ctx context.Context) (err error) {
	s.ticket, err = s.draw(ctx)
	return err
}

// Info implements [Source].
func (s *measured) Info(ctx context.Context) (ganeti.Answer, error) {
	if err := s.ask(ctx); err != nil {
		return ganeti.Answer{}, err
	}
	began := time.Now()
	asked, ended := placeIn(ctx).request(ctx)
	a, err := s.src.Info(asked)
	err = ended(err)
	a.StartedAt = s.ticket.At
	s.clock.witness(s.cluster, a.Date)
	s.count(db.KindCluster, began, a.Duration, a.Bytes, err)
	return a, err
}

// Bulk implements [Source].
func (s *measured) Bulk(ctx context.Context, r ganeti.Resource, known *ganeti.Index) (*ganeti.Delta, error) {
	if err := s.ask(ctx); err != nil {
		return nil, err
	}
	began := time.Now()
	asked, ended := placeIn(ctx).request(ctx)
	d, err := s.src.Bulk(asked, r, known)
	err = ended(err)
	if err != nil {
		s.count(kindAt(r), began, 0, 0, err)
		return nil, err
	}
	d.StartedAt = s.ticket.At
	s.clock.witness(s.cluster, d.Date)
	s.count(kindAt(r), began, d.Duration, d.Bytes, nil)
	return d, nil
}

// Item implements [Source].
func (s *measured) Item(ctx context.Context, r ganeti.Resource, name string) (ganeti.Answer, error) {
	if err := s.ask(ctx); err != nil {
		return ganeti.Answer{}, err
	}
	began := time.Now()
	asked, ended := placeIn(ctx).request(ctx)
	a, err := s.src.Item(asked, r, name)
	err = ended(err)
	a.StartedAt = s.ticket.At
	s.count(kindAt(r), began, a.Duration, a.Bytes, err)
	return a, err
}

// Distrust passes on what the engine says of an address; see [Source].
func (s *measured) Distrust(at ganeti.Address) { distrust(s.src, at) }

// count counts one request. A failed one has no times of its own, but kept RAPI busy all the same.
func (s *measured) count(k db.Kind, began time.Time, took time.Duration, bytes int64, err error) {
	result := "success"
	if err != nil {
		result, took, bytes = "failure", time.Since(began), 0
	}
	s.spent += took
	if c, ok := s.src.(interface{ CertificateExpires() time.Time }); ok {
		s.metrics.certificate(s.cluster, c.CertificateExpires())
	}
	s.metrics.asked(s.cluster, k, result, took, bytes)
}

// kindAt gives the kind that a resource lists.
func kindAt(r ganeti.Resource) db.Kind {
	for _, k := range kinds() {
		if k.resource == r {
			return k.name
		}
	}
	return ""
}
