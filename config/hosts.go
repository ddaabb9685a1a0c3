package config

import (
	"errors"
	"fmt"
	"strings"
)

// parseHosts reads names of hosts, separated by commas.
func parseHosts(text string) (any, error) {
	var names []string
	for name := range strings.SplitSeq(text, ",") {
		switch name = strings.TrimSpace(name); {
		case name == "":
			return nil, errors.New("a name is empty; write names such as cache.example.org, separated by commas, or remove the key")
		case strings.ContainsAny(name, "/:*@ "):
			return nil, fmt.Errorf("%q is no name of a host; write it without scheme, port and wildcards, such as cache.example.org", name)
		}
		names = append(names, name)
	}
	return names, nil
}
