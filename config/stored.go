package config

import (
	"errors"
	"fmt"

	"ganeticache/ganeti"
)

// Stored are the settings of a cluster that is kept in the database, as they were given there.
type Stored struct {
	// RAPI holds one address, or several separated by commas.
	Name, RAPI, Username string
	// PasswordFile names the file with the password; Password, if set, gives the password instead. It is asked each time
	// that the settings are.
	PasswordFile string
	Password     func() (ganeti.Secret, error)
	TLS          TLS
	// Schedule overrides the configuration's, for VMs and nodes.
	Schedule string
}

// Adopt makes a cluster of the settings kept elsewhere: they are checked like those of the file, and what they leave open
// is that of the configuration. The error says everything that is wrong; with one, the cluster may be used all the same,
// and its Settings return that error, so that one bad row stops no other cluster.
func (c *Config) Adopt(s Stored) (Cluster, error) {
	cl := Cluster{
		Name: s.Name, RAPI: s.RAPI, Username: s.Username, PasswordFile: s.PasswordFile, TLS: s.TLS, Schedule: s.Schedule,
		RefreshBudget: c.RefreshBudget, Timeouts: c.Timeouts, MaxBody: c.MaxBody, Enabled: true, Stored: true, secret: s.Password,
	}
	var problems []error
	check := func(what, value string, parse parser) {
		if _, err := parse(value); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", what, err))
		}
	}
	check("name", s.Name, parseName)
	check("rapi", s.RAPI, parseRAPI)
	check("username", s.Username, parseText)
	if s.TLS.PinSHA256 != "" {
		check("pin", s.TLS.PinSHA256, parsePin)
	}
	if s.Schedule != "" {
		check("schedule", s.Schedule, parseSchedule)
	}
	hasPassword := s.PasswordFile != "" || s.Password != nil
	switch {
	case s.Username != "" && !hasPassword:
		problems = append(problems, fmt.Errorf("user %q has no password with it", s.Username))
	case s.Username == "" && hasPassword:
		problems = append(problems, errors.New("there is a password, but no username that it belongs to"))
	}
	if len(problems) == 0 {
		if err := cl.settings().Validate(); err != nil {
			problems = append(problems, err)
		}
	}
	if len(problems) > 0 {
		cl.problem = fmt.Errorf("checking the settings of cluster %.80q: %w", s.Name, errors.Join(problems...))
		cl.Schedule = ""
	}
	cl.Schedules = Schedules{}.resolve(cl.Schedule, c.Schedules)
	if cl.Schedule == "" {
		cl.Schedule = c.Schedule
	}
	return cl, cl.problem
}
