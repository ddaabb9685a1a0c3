// Package ganeti reads Ganeti clusters through their remote API (RAPI).
//
// It fetches /2/info and the bulk resources over TLS, cuts a bulk answer into
// raw items while it arrives, tells which of them the caller already has on
// record, and decodes the others into tolerant wire types. It only ever sends
// GET requests, keeps nothing on disk and knows nothing about databases.
//
// # Concurrency
//
// A [Client] and a [Pool] are safe for concurrent use. A Client sends one
// request at a time, because RAPI serves twenty clients at most and gains
// nothing from parallel calls. An [Index] is immutable; a [Delta] is read only
// once it has been returned.
//
// # Failure
//
// An answer that is not complete (another status than 200, a body that is cut,
// is too large or is not a JSON array) is an error and never a [Delta]: what
// is missing from a Delta is really missing from Ganeti's answer. Errors name
// what the operator can check and never hold the password; [Reason] gives the
// class of an error as one word for metrics.
package ganeti
