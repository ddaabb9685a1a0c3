// Command fetch waits until a server has VMs and saves its OpenAPI document: fetch SERVER FILE.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	var err error
	for range 100 {
		var vms, document []byte
		if vms, err = get(os.Args[1] + "/v1/vms?limit=1"); err == nil && bytes.Contains(vms, []byte(`"uuid"`)) {
			if document, err = get(os.Args[1] + "/v1/openapi.json"); err == nil {
				err = os.WriteFile(os.Args[2], document, 0o600)
			}
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func get(url string) ([]byte, error) {
	resp, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return body, err
}
