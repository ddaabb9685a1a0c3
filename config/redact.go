package config

import (
	"errors"
	"strings"

	"ganeticache/ganeti"
)

// parseRedact reads names of secret fields, separated by commas.
func parseRedact(text string) (any, error) {
	var names []string
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name == "" {
			return nil, errors.New("a name is empty; write names of fields, separated by commas, or remove the key")
		}
		names = append(names, name)
	}
	if _, err := ganeti.NewRedactor(names...); err != nil {
		return nil, err
	}
	return names, nil
}
