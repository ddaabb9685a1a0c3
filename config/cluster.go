package config

import (
	"errors"
	"fmt"
	"os"

	"ganeticache/ganeti"
)

// Cluster is one Ganeti cluster. After Load its schedules, timeouts and limits are the effective ones: its own where it
// has any, else those of the configuration.
type Cluster struct {
	// Name is the cluster's name in the database, logs and metrics. It must be unique. A new name needs `updater clusters
	// rename` as well: without it, it is another cluster, and the old one's rows are frozen.
	Name string `key:"name"`
	// RAPI is the address of the cluster's remote API, https://HOST[:PORT]; the port defaults to 5080. Several addresses are
	// separated by commas: see ganeti.Settings.
	RAPI string `key:"rapi"`
	// Username is the RAPI user; one without options is enough. Empty: no credentials are sent, for a RAPI that runs
	// without --require-authentication.
	Username string `key:"username"`
	// PasswordFile names the file that holds the RAPI user's password. It is read again for each new client.
	PasswordFile string `key:"password_file"`
	// PasswordEnv names the environment variable that holds the password, instead of PasswordFile.
	PasswordEnv string `key:"password_env"`
	// TLS says how RAPI's certificate is checked. Default: by the system's roots.
	TLS TLS `key:"tls"`
	// Schedule overrides the configuration's schedule, for VMs and nodes.
	Schedule string `key:"schedule"`
	// Schedules overrides the schedules of single kinds. After Load each field is an expression, or empty: never.
	Schedules Schedules `key:"schedules"`
	// RefreshBudget overrides the configuration's refresh_budget.
	RefreshBudget float64 `key:"refresh_budget"`
	// Timeouts overrides the configuration's timeouts.
	Timeouts Timeouts `key:"timeouts"`
	// MaxBody overrides the configuration's max_body, in bytes.
	MaxBody int64 `key:"max_body"`
	// Enabled says whether the cluster is refreshed. Default true. A disabled one freezes: its rows stay as they are.
	Enabled bool `key:"enabled"`
	// AllowDuplicate says that the Ganeti cluster may be cached under another name as well. Default false: the name that
	// comes second is refused.
	AllowDuplicate bool `key:"allow_duplicate"`
	// Stored says that the cluster is kept in the database; see Config.Adopt.
	Stored bool `key:"-"`

	// lookup finds an environment variable; nil means the process's own environment. A function, because a map in its
	// place would print every password with %+v.
	lookup func(string) (string, bool)
	// secret gives the password of a stored cluster that has it in the database; problem is what is wrong with such a one.
	secret  func() (ganeti.Secret, error)
	problem error
	// warning is what else is to be said of such a one.
	warning string
}

// TLS says how RAPI's certificate is checked. At most one of the pin, the CA file and InsecureSkipVerify is given; none
// means the system's roots.
type TLS struct {
	// PinSHA256 is the SHA-256 of the very certificate that RAPI shows, in hex, with or without colons. It is the way
	// to trust Ganeti's own self-signed certificate; `updater trust HOST:PORT` prints it. A renewed certificate needs a
	// new pin.
	PinSHA256 string `key:"pin_sha256"`
	// CAFile names a PEM file with the authority that signed the certificate, or with that very certificate.
	CAFile string `key:"ca_file"`
	// ServerName is the name the certificate must be for. Default: the host of the address.
	ServerName string `key:"server_name"`
	// InsecureSkipVerify accepts any certificate: whoever is on the way can read the password. Default false.
	InsecureSkipVerify bool `key:"insecure_skip_verify"`
	// MinVersion is the oldest version of TLS that is spoken: 1.0, 1.1, 1.2 or 1.3. Default 1.2. The first two can be
	// broken by whoever is on the way.
	MinVersion string `key:"min_version"`
}

// Settings returns what the RAPI client needs. The password is read from its file or environment variable each time, so
// a changed one is seen by the next call. Errors name the cluster, the key and what to change, never the password; with
// one that concerns the password, the other settings are returned all the same.
func (c Cluster) Settings() (ganeti.Settings, error) {
	s := c.settings()
	if c.problem != nil {
		return s, c.problem
	}
	var err error
	if s.Password, err = c.password(); err != nil {
		return s, fmt.Errorf("reading the password of cluster %s: %w", c.Name, err)
	}
	s.PasswordSource = c.passwordSource()
	if err := s.Validate(); err != nil {
		return s, fmt.Errorf("checking the settings of cluster %s: %w", c.Name, err)
	}
	return s, nil
}

// settings returns everything but the password, which Load must not need.
func (c Cluster) settings() ganeti.Settings {
	return ganeti.Settings{
		URL:      c.RAPI,
		Username: c.Username,
		TLS:      ganeti.TLS(c.TLS),
		Timeouts: c.Timeouts.Ganeti(),
		MaxBody:  c.MaxBody,
	}
}

// password reads the password where the cluster says it is; none at all is an empty one.
func (c Cluster) password() (ganeti.Secret, error) {
	switch {
	case c.PasswordFile != "" && c.PasswordEnv != "":
		return "", errors.New("password_file and password_env are both set; keep one")
	case c.secret != nil:
		return c.secret()
	case c.PasswordFile != "":
		return readPassword(c.PasswordFile)
	case c.PasswordEnv != "":
		return c.environmentPassword()
	default:
		return "", nil
	}
}

// passwordSource says where the password is, for errors.
func (c Cluster) passwordSource() string {
	switch {
	case c.PasswordFile != "":
		return c.PasswordFile
	case c.PasswordEnv != "":
		return "the environment variable " + c.PasswordEnv
	case c.secret != nil:
		return "the database, sealed,"
	default:
		return ""
	}
}

// passwordWarning says what is odd about the password, before it is refused. Nothing is read that can be read only once;
// a password that cannot be read is the business of whoever needs it.
func (c Cluster) passwordWarning() string {
	if c.problem != nil || !c.Enabled {
		return ""
	}
	if _, regular := lookAt(c.PasswordFile); c.PasswordFile != "" && !regular {
		return ""
	}
	password, err := c.password()
	if err != nil {
		return ""
	}
	why := password.Explain(c.passwordSource(), c.Username)
	if why == "" {
		return ""
	}
	return fmt.Sprintf("cluster %s: %s; it is sent as it is, so RAPI refuses it unless this is meant", c.Name, why)
}

func (c Cluster) environmentPassword() (ganeti.Secret, error) {
	lookup := c.lookup
	if lookup == nil {
		lookup = os.LookupEnv
	}
	value, found := lookup(c.PasswordEnv)
	if !found {
		return "", fmt.Errorf("password_env: the environment has no variable %s; set it, or use password_file", c.PasswordEnv)
	}
	if value = trimNewline(value); value == "" {
		return "", fmt.Errorf("password_env: the environment variable %s is empty; put the password into it", c.PasswordEnv)
	}
	return ganeti.Secret(value), nil
}
