package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ganeticache/config"
)

// FuzzLoad_Again holds that what was accepted is accepted again and means the same, and that an accepted configuration
// holds nothing that cannot work.
func FuzzLoad_Again(f *testing.F) {
	for _, seed := range []string{
		"schedule: '@every 30s'\nconcurrency: 3\nmax_body: 1MB\nretention: 3d\n", "schedules: {job: '@every 5m', vm: '0 3 * * *'}\nguard: {max_percent: 100}\n",
		"clusters:\n- {name: a, rapi: 'https://a:5080', username: u, password_file: /x, tls: {insecure_skip_verify: true}}\n- {name: b, rapi: 'https://[::1]'}\n",
		"database_url: postgres://u@h/d\napi: {enabled: false}\nlisten: ''\n", "owner_tags: {pattern: 'owner:(.*)'}\ntimeouts: {total: 10s, connect: 1s}\n",
	} {
		f.Add([]byte(seed))
	}
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := os.CreateTemp(folder, "*.yaml")
		if err != nil {
			t.Fatal(err)
		}
		defer os.Remove(file.Name())
		if _, err := file.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		first, err := config.Load(config.Options{File: file.Name()})
		second, again := config.Load(config.Options{File: filepath.Clean(file.Name())})
		if (err == nil) != (again == nil) || err != nil && err.Error() != again.Error() {
			t.Fatalf("%q: %v at first, then %v", content, err, again)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(first, second, cmpopts.IgnoreUnexported(config.Config{}, config.Cluster{})); diff != "" {
			t.Errorf("%q means something else the second time:\n%s", content, diff)
		}
		if first.Concurrency < 1 || first.MaxBody < 1 || first.Retention < 0 || first.Guard.Snapshots < 1 || first.Timeouts.Total <= 0 {
			t.Errorf("%q is accepted: %+v", content, first)
		}
		names := map[string]bool{}
		for _, c := range first.Clusters {
			if names[c.Name] {
				t.Errorf("%q: two clusters %q", content, c.Name)
			}
			names[c.Name] = true
		}
	})
}
