// Package activation is the integration of one clinic with Helsenorge, or of one GP of
// it: its preconditions, its activation by an operator, its suspension (S1-S13).
//
//	not-activated ──activate──▶ active ──suspend──▶ suspended
//	                              ▲                     │
//	                              └────────resume───────┘
//
//	look at the preconditions: when the run begins, every week (contract.RecheckEvery),
//	and when the address registry says something else (signal registry-changed)
//
// Registries, certificates and rules are looked at by an activity, which records each
// precondition with its reason, and opens an operator case when an active integration
// has lost one: nothing is suspended by itself. Commands (activate, suspend, resume,
// sign off, look again) are stored before they are given; PostgreSQL decides on them
// after a look of its own. The run never ends by itself: it continues as new.
package activation
