package config_test

import (
	"strings"
	"testing"

	"ganeticache/config"
)

func TestLoad_RefreshBudget(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]float64{
		"10%": 0.1, "0.1": 0.1, "'2.5 %'": 0.025, "100%": 1, "1": 1, "1.0": 1, "off": 1, "OFF": 1, "0.5%": 0.005,
	} {
		if got := load(t, options(t, "refresh_budget: "+text+"\n")).RefreshBudget; got != want {
			t.Errorf("refresh_budget: %s gives %g, want %g", text, got, want)
		}
	}
	for _, text := range []string{"10", "0", "0%", "-1%", "101%", "1.5", "NaN", "inf", "'%'", "slow", "1e999"} {
		_, err := config.Load(options(t, "refresh_budget: "+text+"\n"))
		want := `config.yaml:1: refresh_budget: "` + strings.Trim(text, "'") + `" is not a share above 0 and up to 100%; write it like 10% or 0.1, or off for no limit`
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("refresh_budget: %s: %v, want …%s", text, err, want)
		}
	}
}
