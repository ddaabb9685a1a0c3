package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"ganeticache/ganeti"
)

func (a *app) trustCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trust HOST[:PORT]",
		Short: "Print the pin of a RAPI certificate and the lines to configure it",
		Long: `trust asks a RAPI for its certificate and prints the certificate's SHA-256, the pin. Ganeti signs its own
certificate, which no authority vouches for, so the updater recognises the server by the pin. Compare it with the output
of this command on the master node itself, over a channel that you trust:

  openssl x509 -noout -fingerprint -sha256 -in /var/lib/ganeti/rapi.pem`,
		Example: "  updater trust rapi.example.org:5080",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cert, err := ganeti.FetchCertificate(cmd.Context(), args[0], ganeti.DefaultTimeouts())
			if err != nil {
				return fail(err)
			}
			pin := ganeti.Pin(cert)
			if a.jsonOutput {
				return a.printJSON(map[string]string{
					"address": args[0], "pin_sha256": pin, "subject": cert.Subject.String(), "issuer": cert.Issuer.String(),
					"not_before": cert.NotBefore.UTC().Format(time.RFC3339), "not_after": cert.NotAfter.UTC().Format(time.RFC3339),
				})
			}
			return a.printf(`SHA-256 pin  %s
subject      %s
issuer       %s
valid        %s to %s

Compare the pin with what the master node itself says:
  openssl x509 -noout -fingerprint -sha256 -in /var/lib/ganeti/rapi.pem
Then configure the cluster with:
    tls:
      pin_sha256: "%s"
or on the command line with --rapi-pin-sha256.
`, pin, cert.Subject, cert.Issuer, cert.NotBefore.UTC().Format(time.DateOnly), expiry(cert.NotAfter), pin)
		},
	}
	a.jsonFlag(cmd)
	return cmd
}

func expiry(t time.Time) string {
	day := t.UTC().Format(time.DateOnly)
	if left := time.Until(t); left < 0 {
		return day + " (expired; a pin still accepts it)"
	}
	return fmt.Sprintf("%s (%d days)", day, int(time.Until(t).Hours()/24))
}
