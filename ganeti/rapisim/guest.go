package rapisim

import (
	_ "embed"
	"encoding/json"
	"strings"
)

//go:embed answers/kvm_hvparams.json
var kvmParams string

// guest is one set of hypervisor parameters, rendered once and shared by all
// instances that have it.
type guest struct {
	kvm            bool
	params, custom string // JSON
}

// guests returns the parameter sets that occur in the recordings: the first
// for instances of the fake hypervisor, the others for KVM.
func guests() []*guest {
	return []*guest{
		{params: "{}", custom: "{}"},
		kvmGuest(`{}`),
		kvmGuest(`{"cpu_type": "host", "vnc_bind_address": "0.0.0.0"}`),
		kvmGuest(`{"keymap": "en-us", "serial_console": false, "use_localtime": true, "vga": "std"}`),
		kvmGuest(`{"boot_order": "network", "disk_cache": "none", "kvm_extra": "-smbios type=0"}`),
		kvmGuest(`{"cpu_type": "host", "kvm_extra": "", "user_shutdown": true, "vnc_bind_address": "0.0.0.0"}`),
	}
}

// kvmGuest is a KVM guest's parameters: the usual ones but for custom, an
// object of some of their keys.
func kvmGuest(custom string) *guest {
	params := []byte(strings.TrimSpace(kvmParams))
	var values map[string]json.RawMessage
	if err := json.Unmarshal([]byte(custom), &values); err != nil {
		return &guest{kvm: true, params: string(params), custom: "{}"}
	}
	for key, value := range values {
		if changed, err := setField(params, key, value); err == nil {
			params = changed
		}
	}
	return &guest{kvm: true, params: string(params), custom: custom}
}
