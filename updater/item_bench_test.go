package updater_test

import (
	"bytes"
	"testing"

	"ganeticache/db"
	"ganeticache/ganeti"
	"ganeticache/ganeti/rapisim"
	"ganeticache/updater"
)

// BenchmarkItem is what each changed item costs before the store sees it: decoding, redaction, digest and row. It is one
// round over a cluster of 1,000 VMs; divide by the metric "items".
func BenchmarkItem(b *testing.B) {
	s, err := rapisim.NewServer(rapisim.NewCluster(rapisim.Options{
		VMs: 1000, Nodes: 50, Groups: 10, Networks: 20, Jobs: 100, KVMShare: 1, Username: "gwm", Password: password,
	}))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	client, err := ganeti.New(ganeti.Settings{
		URL: s.URL(), Username: "gwm", Password: password, TLS: ganeti.TLS{PinSHA256: s.Pin()},
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, kind := range []db.Kind{db.KindVM, db.KindNode, db.KindGroup, db.KindNetwork, db.KindJob} {
		b.Run(string(kind), func(b *testing.B) {
			items := updater.ItemsOf(kind)
			delta, err := client.Bulk(b.Context(), items.Resource(), nil)
			if err != nil {
				b.Fatal(err)
			}
			var all [][]byte
			for _, raw := range delta.Each() {
				all = append(all, bytes.Clone(raw))
			}
			b.SetBytes(delta.Bytes)
			b.ReportAllocs()
			for b.Loop() {
				for _, raw := range all {
					if it := items.Item(raw); it.Row == nil {
						b.Fatalf("%s: %s", it.Reason, raw)
					}
				}
			}
			b.ReportMetric(float64(len(all)), "items")
		})
	}
}
