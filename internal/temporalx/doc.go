// Package temporalx makes Helsebro's Temporal clients: Temporal's own client
// configuration, and on top of it what keeps a history unreadable for who only
// runs the server.
//
// Every payload (inputs, results, signals, updates, memos, summaries, details) is
// sealed with AES-256-GCM, and failures with their messages and stack traces go
// the same way. This is defence in depth: no payload names a patient in the first
// place. Workflow ids, search attributes, task queues and the names of types,
// signals and updates are always in clear, and so are opaque ids and codes.
//
// The Temporal UI reads payloads through CodecHandler, in the browser of somebody
// who may.
package temporalx
