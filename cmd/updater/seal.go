package main

import (
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ganeticache/config"
	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/secret"
)

// The database is trusted for rows, not for where passwords may be sent. So the settings of a cluster that is kept there are
// sealed as a whole, bound to the row's id: with the password itself, or with the name of its file. The columns beside the
// seal are for people and SQL; where one differs from the seal, the cluster is not asked.

// sealedSettings is what is sealed. The JSON names are those of the columns.
type sealedSettings struct {
	Password     ganeti.Secret `json:"-"`
	RAPIURL      string        `json:"rapi_url"`
	Username     string        `json:"rapi_username"`
	PasswordFile string        `json:"password_file"`
	PinSHA256    string        `json:"tls_pin_sha256"`
	CAFile       string        `json:"tls_ca_file"`
	ServerName   string        `json:"tls_server_name"`
	MinVersion   string        `json:"tls_min_version"`
	Insecure     bool          `json:"tls_insecure"`
}

// withPassword is how it is written: a Secret is not.
type withPassword struct {
	sealedSettings
	Password string `json:"password"`
}

func settingsOf(k db.StoredCluster) sealedSettings {
	return sealedSettings{
		RAPIURL: k.RAPIURL, Username: k.Username, PasswordFile: k.PasswordFile, PinSHA256: k.PinSHA256, CAFile: k.CAFile,
		ServerName: k.ServerName, MinVersion: k.MinVersion, Insecure: k.InsecureSkipVerify,
	}
}

// put makes the columns of a row those of the settings.
func (s sealedSettings) put(k *db.StoredCluster) {
	k.RAPIURL, k.Username, k.PasswordFile, k.PinSHA256, k.CAFile = s.RAPIURL, s.Username, s.PasswordFile, s.PinSHA256, s.CAFile
	k.ServerName, k.MinVersion, k.InsecureSkipVerify = s.ServerName, s.MinVersion, s.Insecure
}

// hasSecret says whether a row claims a password, in whatever way: only one that claims none is asked without a seal.
func hasSecret(k db.StoredCluster) bool {
	return k.Username != "" || k.PasswordSealed != "" || k.PasswordFile != "" || k.SettingsSealed != ""
}

// isOld says whether a row with a password is one of before settings were sealed.
func isOld(k db.StoredCluster) bool {
	if k.PasswordSealed != "" {
		return secret.IsPassword(k.PasswordSealed)
	}
	return k.PasswordFile != "" && k.SettingsSealed == ""
}

// seal seals the row's settings, with the password unless a file has it.
func seal(key *secret.Key, k db.StoredCluster, password ganeti.Secret) (db.StoredCluster, error) {
	s := withPassword{settingsOf(k), ""}
	if k.PasswordFile == "" {
		s.Password = password.Reveal()
	}
	text, err := json.Marshal(s) //nolint:gosec // G117: it is sealed below
	if err != nil {
		return k, fmt.Errorf("writing the settings: %w", err)
	}
	sealed, err := key.Seal(k.ID, text)
	if err != nil {
		return k, err
	}
	k.PasswordSealed, k.SettingsSealed = sealed, ""
	if k.PasswordFile != "" {
		k.PasswordSealed, k.SettingsSealed = "", sealed
	}
	return k, nil
}

// openSeal returns what was sealed for the row, whatever its columns say now.
func openSeal(key *secret.Key, k db.StoredCluster) (sealedSettings, error) {
	text := k.PasswordSealed
	if text == "" {
		text = k.SettingsSealed
	}
	if text == "" {
		return sealedSettings{}, errors.New("its address is not sealed, so nothing vouches for it; remove the cluster and add it again, " +
			"with a password or without a user")
	}
	content, err := key.Open(k.ID, text)
	switch {
	case errors.Is(err, secret.ErrWrongKey):
		return sealedSettings{}, fmt.Errorf("%w; secret_key_file must be that of the updater that added the cluster, "+
			"or the last one given to `updater clusters rekey`", err)
	case err != nil:
		return sealedSettings{}, fmt.Errorf("%w; remove the cluster and add it again", err)
	}
	var s withPassword
	if err := json.Unmarshal(content, &s); err != nil {
		return sealedSettings{}, errors.New("the sealed settings cannot be read; a newer updater sealed them")
	}
	out := s.sealedSettings
	out.Password = ganeti.Secret(s.Password)
	return out, nil
}

// differing names the columns that say something else than the seal.
func differing(k db.StoredCluster, s sealedSettings) []string {
	var names []string
	now := settingsOf(k)
	for _, c := range []struct {
		name string
		same bool
	}{
		{"rapi_url", now.RAPIURL == s.RAPIURL},
		{"rapi_username", now.Username == s.Username},
		{"password_file", now.PasswordFile == s.PasswordFile},
		{"tls_pin_sha256", now.PinSHA256 == s.PinSHA256},
		{"tls_ca_file", now.CAFile == s.CAFile},
		{"tls_server_name", now.ServerName == s.ServerName},
		{"tls_min_version", now.MinVersion == s.MinVersion},
		{"tls_insecure", now.Insecure == s.Insecure},
	} {
		if !c.same {
			names = append(names, c.name)
		}
	}
	return names
}

// unseal gives the password of a row, if its settings are those that belong to it. The key is read each time, like a
// password file, so that one that was turned is seen at once.
func unseal(c *config.Config, k db.StoredCluster, oldEnded bool) (ganeti.Secret, error) {
	if isOld(k) {
		return unsealOld(c, k, oldEnded)
	}
	key, err := sealingKey(c)
	if err != nil {
		return "", err
	}
	s, err := openSeal(key, k)
	if err != nil {
		return "", err
	}
	if names := differing(k, s); len(names) > 0 {
		return "", fmt.Errorf("clusters.%s was changed in the database and differs from what was sealed with the password; `updater clusters set %s` "+
			"restores the sealed settings, and with --rapi, --pin and the like seals new ones", strings.Join(names, ", clusters."), k.Name)
	}
	if s.PasswordFile != "" {
		return c.ReadStoredPassword(s.PasswordFile)
	}
	return s.Password, nil
}

var (
	errOldSeal = errors.New("its password was sealed without its address by an earlier version, and such seals are no longer accepted; " +
		"run: updater clusters reseal")
	errUnconfirmed = errors.New("its password was sealed without its address by an earlier version, and address, user, certificate or " +
		"password differ from those of its last refresh (or it was never refreshed); check them, and run: updater clusters reseal")
)

// unsealOld gives the password of a row whose settings are not sealed, until `updater clusters reseal` ends that. Such a row
// is only taken for what the updater itself has recorded last: credentials_hash is keyed, so that nobody else can write it
// for another address or certificate.
func unsealOld(c *config.Config, k db.StoredCluster, ended bool) (ganeti.Secret, error) {
	if ended {
		return "", errOldSeal
	}
	password, err := oldPassword(c, k)
	if err != nil {
		return "", err
	}
	confirmed, err := isConfirmed(c, k, password)
	if err == nil && !confirmed {
		err = errUnconfirmed
	}
	if err != nil {
		return "", err
	}
	return password, nil
}

// oldPassword reads the password of a row whose settings are not sealed.
func oldPassword(c *config.Config, k db.StoredCluster) (ganeti.Secret, error) {
	if k.PasswordFile != "" {
		return c.ReadStoredPassword(k.PasswordFile)
	}
	key, err := sealingKey(c)
	if err != nil {
		return "", err
	}
	password, err := key.OpenPassword(k.Name, k.PasswordSealed)
	switch {
	case errors.Is(err, secret.ErrWrongKey):
		return "", fmt.Errorf("%w; secret_key_file must be that of the updater that added the cluster, "+
			"or the last one given to `updater clusters rekey`", err)
	case err != nil:
		return "", fmt.Errorf("%w; remove the cluster and add it again", err)
	}
	return ganeti.Secret(password), nil
}

// isConfirmed says whether the settings of a row are those whose hash the updater has recorded.
func isConfirmed(c *config.Config, k db.StoredCluster, password ganeti.Secret) (bool, error) {
	keyed, err := credentialsKey(c)
	if err != nil {
		return false, err
	}
	if k.CredentialsHash == "" || k.MinVersion != "" || k.InsecureSkipVerify {
		return false, nil
	}
	settings := ganeti.Settings{URL: k.RAPIURL, Username: k.Username, Password: password, TLS: ganeti.TLS(tlsOf(k))}
	hash, err := ganeti.NewPool(keyed).Hash(settings)
	if err != nil {
		return false, err
	}
	return hmac.Equal([]byte(hash), []byte(k.CredentialsHash)), nil
}

// reseal turns what one key sealed into what the other seals. What the new one has sealed already stays.
func reseal(c *config.Config, before, after *secret.Key) db.Sealer {
	return func(k db.StoredCluster) (db.StoredCluster, error) {
		if isOld(k) {
			password, err := unsealOld(c, k, false)
			if err != nil {
				return k, err
			}
			return seal(after, k, password)
		}
		s, err := openSeal(before, k)
		if errors.Is(err, secret.ErrWrongKey) {
			if _, afterErr := openSeal(after, k); afterErr == nil {
				return k, nil
			}
		}
		if err != nil {
			return k, err
		}
		// The seal says what belongs to the password; columns that differ go on being found out.
		columns := k
		s.put(&k)
		sealed, err := seal(after, k, s.Password)
		columns.PasswordSealed, columns.SettingsSealed = sealed.PasswordSealed, sealed.SettingsSealed
		return columns, err
	}
}

// anyOld says whether a row is left whose settings are not sealed.
func anyOld(kept []db.StoredCluster) bool { return slices.ContainsFunc(kept, isOld) }
