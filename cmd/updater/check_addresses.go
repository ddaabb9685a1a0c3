package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"ganeticache/ganeti"
)

// checkedAddress is what one address of a cluster answered. The JSON names are public.
type checkedAddress struct {
	Address string `json:"address"`
	// State is serves, not_master, refused, or the reason of the error.
	State string `json:"state"`
	Found string `json:"found,omitempty"`
	Error string `json:"error,omitempty"`

	uuid string
	err  error
}

// The states of an address that are no error's reason. Only the master serves, so the other two are usual.
const (
	stateServes    = "serves"
	stateNotMaster = "not_master"
	stateRefused   = "refused"
)

// remarkable says whether the address of a cluster that is served elsewhere has a fault worth a sentence.
func (c checkedAddress) remarkable() bool {
	return c.State != stateServes && c.State != stateNotMaster && c.State != stateRefused
}

// checkAddresses asks each address of a cluster for its info. The error is one of the settings.
func checkAddresses(ctx context.Context, s ganeti.Settings) ([]checkedAddress, error) {
	addresses, err := s.Addresses()
	if err != nil {
		return nil, err
	}
	results := make([]checkedAddress, 0, len(addresses))
	for _, a := range addresses {
		alone := s
		alone.URL = "https://" + a.String()
		client, err := ganeti.New(alone)
		if err != nil {
			return nil, err
		}
		results = append(results, checkAddress(ctx, client, a))
	}
	return results, nil
}

func checkAddress(ctx context.Context, client *ganeti.Client, a ganeti.Address) checkedAddress {
	answer, err := client.Info(ctx)
	var info ganeti.Info
	if err == nil {
		info, err = ganeti.DecodeInfo(answer.Body)
	}
	if err != nil {
		return checkedAddress{Address: a.String(), State: stateOf(err), Error: err.Error(), err: err}
	}
	return checkedAddress{
		Address: a.String(), State: stateServes, uuid: info.UUID,
		Found: fmt.Sprintf("%s, Ganeti %s, master %s, answered in %s",
			info.Name, info.SoftwareVersion, info.Master, answer.Duration.Round(time.Millisecond)),
	}
}

func stateOf(err error) string {
	switch {
	case errors.Is(err, ganeti.ErrNotMaster):
		return stateNotMaster
	case errors.Is(err, ganeti.ErrRefused):
		return stateRefused
	default:
		return ganeti.Reason(err)
	}
}

// judge says what the cluster is, by the first address that serves; else what is wrong with all of them. Two clusters are
// one too many: which of them is cached would be left to chance.
func judge(addresses []checkedAddress) (string, error) {
	var serving []checkedAddress
	var texts []string
	for _, a := range addresses {
		if a.err == nil {
			serving = append(serving, a)
			continue
		}
		texts = append(texts, a.Error)
	}
	if len(serving) == 0 {
		return "", errors.New(strings.Join(texts, "; "))
	}
	first := serving[0]
	for _, a := range serving[1:] {
		if a.uuid != first.uuid {
			return "", fmt.Errorf("%s and %s are two clusters, of uuid %s and %s; list the addresses of one",
				first.Address, a.Address, first.uuid, a.uuid)
		}
	}
	return first.Found, nil
}
