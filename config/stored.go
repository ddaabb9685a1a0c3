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
	// PasswordFile names the file with the password, for those who look; Password gives the password, and whether the
	// settings are still those that belong to it. It is asked each time that the settings are.
	PasswordFile string
	Password     func() (ganeti.Secret, error)
	TLS          TLS
	// Schedule overrides the configuration's, for VMs and nodes.
	Schedule string
	// Warning is what Config.Warnings says of it; "" when there is nothing to be said.
	Warning string
}

// Adopt makes a cluster of the settings kept elsewhere: they are checked like those of the file, and what they leave open
// is that of the configuration. The error says everything that is wrong; with one, the cluster may be used all the same,
// and its Settings return that error, so that one bad row stops no other cluster.
func (c *Config) Adopt(s Stored) (Cluster, error) {
	cl := Cluster{
		Name: s.Name, RAPI: s.RAPI, Username: s.Username, PasswordFile: s.PasswordFile, TLS: s.TLS, Schedule: s.Schedule,
		RefreshBudget: c.RefreshBudget, Timeouts: c.Timeouts, MaxBody: c.MaxBody, Enabled: true, Stored: true, secret: s.Password, warning: s.Warning,
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
	if s.TLS.MinVersion != "" {
		check("tls_min_version", s.TLS.MinVersion, parseOneOf("1.0", "1.1", "1.2", "1.3"))
	}
	if s.TLS.InsecureSkipVerify {
		problems = append(problems, errors.New("tls_insecure: only the configuration file may say that a certificate is not checked; "+
			"give the cluster a pin (`updater trust`, `updater clusters set NAME --pin PIN`), or list it in the file"))
	}
	if s.Schedule != "" {
		check("schedule", s.Schedule, parseSchedule)
	}
	// A file alone is never read: without Password nobody has said that this is the cluster it belongs to.
	hasPassword := s.PasswordFile != "" || s.Password != nil
	if s.PasswordFile != "" && s.Password == nil {
		problems = append(problems, errors.New("password_file: nothing vouches for it"))
	}
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
