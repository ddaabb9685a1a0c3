package ganeti_test

import (
	"errors"
	"strings"
	"testing"

	"ganeticache/ganeti"
)

// A 401 names what is odd about the password that was sent, as it is; another answer does not, nor does a password
// without oddity.
func TestClient_SaysWhatMayBeWrongWithARefusedPassword(t *testing.T) {
	t.Parallel()
	cert := ganetiCertificate(t)
	refused := send(401, file(t, "err-401-wrongpw.body"))
	for text, want := range map[string]string{
		"kaninchen": "", "\ufeffkaninchen": "begins with a byte order mark", "kaninchen\u00a0": "ends with a no-break space",
		"kaninchen\xfc": "is not UTF-8", `"kaninchen"`: "stands between quotation marks", "gwm:kaninchen": "begins with the user's name", "kaninchen\u0020": "ends with a blank",
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s := settings(serve(t, cert, refused), cert)
			s.Password, s.PasswordSource = ganeti.Secret(text), "/etc/rapi.password"
			_, err := client(t, s).Info(t.Context())
			if !errors.Is(err, ganeti.ErrUnauthorized) || want != "" && !strings.Contains(err.Error(), "; the password in /etc/rapi.password "+want) {
				t.Errorf("got %v, want it to say %q", err, want)
			}
			if leaks(err.Error(), "kaninchen") || want == "" && strings.Contains(err.Error(), "/etc/rapi.password") {
				t.Errorf("it says %v", err)
			}
		})
	}
	s := settings(serve(t, cert, send(403, file(t, "err-403-readonly.body"))), cert)
	s.Password = " kaninchen "
	if _, err := client(t, s).Info(t.Context()); err == nil || strings.Contains(err.Error(), "blank") {
		t.Errorf("403: %v", err)
	}
}

// What cannot be sent says why, too.
func TestSettings_ValidateSaysWhatIsOdd(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"kaninchen\t": "ends with a tab", "k\x00a\x00": "is in UTF-16", "kaninchen\n": "ends with a line break"} {
		err := ganeti.Settings{URL: "https://h", Username: "gwm", Password: ganeti.Secret(text), PasswordSource: "/etc/p"}.Validate()
		if err == nil || !strings.Contains(err.Error(), "the password in /etc/p "+want) || strings.Contains(err.Error(), "kaninchen") {
			t.Errorf("%q: %v, want it to say %s", text, err, want)
		}
	}
}
