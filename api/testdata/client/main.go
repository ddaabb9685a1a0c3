// Command client checks the OpenAPI document and reads VMs with a client that was generated from it; see .ci/client.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	"example.org/client/cache"
)

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, server, document string) error {
	if err := validate(document); err != nil {
		return err
	}
	client, err := cache.NewClientWithResponses(server)
	if err != nil {
		return err
	}
	running, limit, total := []string{"running"}, int64(7), 0
	for after := ""; ; {
		params := &cache.ListVmsParams{Status: &running, Limit: &limit}
		if after != "" {
			params.After = &after
		}
		page, err := client.ListVmsWithResponse(ctx, params)
		if err != nil {
			return err
		}
		if page.JSON200 == nil {
			return fmt.Errorf("listing VMs: %s: %s", page.Status(), page.Body)
		}
		for _, vm := range page.JSON200.Items {
			total++
			fmt.Printf("%s/%s on %s\n", vm.Cluster, vm.Name, vm.PrimaryNode)
		}
		if page.JSON200.Next == nil {
			break
		}
		after = *page.JSON200.Next
	}
	if total == 0 {
		return errors.New("the client has read no VM")
	}
	bad := "no column"
	refused, err := client.ListVmsWithResponse(ctx, &cache.ListVmsParams{Sort: &bad})
	if err != nil {
		return err
	}
	if refused.StatusCode() != http.StatusUnprocessableEntity || refused.ApplicationproblemJSONDefault == nil {
		return fmt.Errorf("a bad sort gives %s, and no problem", refused.Status())
	}
	fmt.Printf("%d VMs are running\n", total)
	return nil
}

// validate holds the document against the schema of OpenAPI 3.1.
func validate(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	document, err := libopenapi.NewDocument(text)
	if err != nil {
		return err
	}
	if document.GetVersion() != "3.1.0" {
		return fmt.Errorf("%s is of version %s", file, document.GetVersion())
	}
	v, errs := validator.NewValidator(document)
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if ok, found := v.ValidateDocument(); !ok {
		var all []error
		for _, e := range found {
			all = append(all, errors.New(e.Message+": "+e.Reason))
		}
		return errors.Join(all...)
	}
	return nil
}
