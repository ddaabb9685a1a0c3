package config_test

import (
	"os"
	"testing"

	"ganeticache/config"
	"ganeticache/ganeti"
)

// FuzzLoad holds that no file makes Load panic, that a refusal says why, and that what was accepted can be asked for
// warnings.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"", "---\n...\n---\n", "a: &a [*a]", "a: &a {<<: *a}", "clusters: &c [*c]", "clusters: [{<<: [&b {name: b}, *b]}]", "? [a]\n: b\n",
		"schedule: TZ=", "schedule: CRON_TZ=UTC @every 1m", "schedule: \"0 0 30 2 *\"", "max_body: 999999999999EB", "retention: 9999999d",
		"log:\n\tlevel: info", "\xff\xfe", "!!binary aGk=", "clusters:\n- !!map {name: a, rapi: \"https://[::1]:5080\"}", "clusters[]: {name: a}",
		"database_url: postgres://u:p@h/d\nclusters: [{name: a, rapi: https://a, username: u, password_env: P, tls: {pin_sha256: 00}}]",
		"<<: {concurrency: 1}\nconcurrency: 2", "timeouts: {total: 1ns}", "listen: :::0", "clusters: [{name: a, rapi: [https://a, [b], ~, !!map x, *a]}]", "guard: {max_objects: 0x10}",
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
		c, err := config.Load(config.Options{File: file.Name()})
		if err != nil {
			if err.Error() == "" {
				t.Error("the refusal says nothing")
			}
			return
		}
		c.Warnings()
		for _, cl := range c.Clusters {
			if cl.Name == "" || cl.RAPI == "" {
				t.Errorf("a cluster without name or address was accepted: %+v", cl)
			}
			if _, err := (ganeti.Settings{URL: cl.RAPI}).Addresses(); err != nil {
				t.Errorf("addresses that no client takes were accepted: %v", err)
			}
		}
	})
}

// FuzzEnvironment holds the same for a variable of any name and value.
func FuzzEnvironment(f *testing.F) {
	f.Add("CLUSTERS_0_RAPI", "https://a")
	f.Add("CLUSTERS_0_RAPI", "https://a, https://b,,")
	f.Add("CLUSTERS_18446744073709551616_RAPI", "https://a")
	f.Add("RAPI_PASSWORD", "x")
	f.Add("TIMEOUTS_TOTAL", "-1s")
	f.Fuzz(func(t *testing.T, name, value string) {
		_, err := config.Load(config.Options{File: os.DevNull, Env: []string{"UPDATER_" + name + "=" + value}})
		if err != nil && err.Error() == "" {
			t.Error("the refusal says nothing")
		}
	})
}
