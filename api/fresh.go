package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Freshen is embedded in the input of operations that may ask Ganeti.
type Freshen struct {
	MaxAge string `query:"max_age" maxLength:"20" example:"30s" doc:"How old the data may be before Ganeti is asked: 30s, 5m, 1h, or a number of seconds. Without the scope refresh at least 10s"`
	Cache  string `query:"cache" enum:"only,refresh" doc:"only never asks Ganeti, whatever the age; refresh always does, needs the scope refresh, and fails if Ganeti does"`
}

// minMaxAge is the least max_age of a token that may not refresh at will.
const minMaxAge = 10 * time.Second

func (f Freshen) read(who caller) (Read, error) {
	r := Read{CacheOnly: f.Cache == "only" || who.foreign, MustBeFresh: f.Cache == "refresh"}
	if r.MustBeFresh && !who.mayRefresh() {
		return r, problem(http.StatusForbidden, "cache=refresh needs a token with the scope refresh")
	}
	if f.MaxAge == "" {
		return r, nil
	}
	if f.Cache != "" {
		return r, invalid("query.max_age", "give either max_age or cache: each says how fresh the data must be")
	}
	age, err := parseAge(f.MaxAge)
	if err != nil {
		return r, err
	}
	if age < minMaxAge && !who.mayRefresh() {
		return r, problem(http.StatusForbidden, "max_age below %s needs a token with the scope refresh", minMaxAge)
	}
	r.MaxAge = &age
	return r, nil
}

// parseAge reads a duration, or a number of seconds.
func parseAge(text string) (time.Duration, error) {
	const most = 10 * 366 * 24 * time.Hour
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		text = strconv.FormatUint(n, 10) + "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > most {
		return 0, invalid("query.max_age", "write a duration such as 30s, 5m or 1h, or a number of seconds")
	}
	return d, nil
}

// invalid is the problem of one parameter, in the form that huma's own checks have.
func invalid(location, format string, args ...any) error {
	return huma.NewError(http.StatusUnprocessableEntity, "validation failed",
		&huma.ErrorDetail{Message: fmt.Sprintf(format, args...), Location: location})
}

// patience is how long a read may wait for Ganeti, so that there is time left to answer with the old data.
const patience = readTimeout - requestTimeout

// read asks the cache, and falls back to what is there when Ganeti takes longer than a caller can wait.
func read[T any](ctx context.Context, r Read, ask func(context.Context, Read) (Cached[T], error)) (Cached[T], error) {
	wait := patience
	if r.MustBeFresh {
		wait = refreshTimeout - requestTimeout
	}
	short, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	c, err := ask(short, r)
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil || r.MustBeFresh {
		return c, err
	}
	if c, err = ask(ctx, Read{CacheOnly: true}); err == nil {
		c.Err = &RefreshError{Reason: "timeout", Err: fmt.Errorf("no answer within %s; what was begun goes on", patience)}
	}
	return c, err
}
