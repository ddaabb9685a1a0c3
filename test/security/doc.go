// Package security holds the trials of docs/security.md that concern the whole program: that nothing prints a secret by
// mistake, and that every test the document names exists.
package security
