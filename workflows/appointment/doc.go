// Package appointment is the lifecycle of one appointment, from its booking or the
// citizen's wish for one to its end (HITS 1217 §3.4 to §3.7, S69-S90).
//
//	received ──RT──▶ booked ──moved, hidden, changed──▶ booked (next revision)
//	   │  └──RT──▶ refused (06)        │
//	   │                               ├──ART, staff──▶ cancelled
//	   └──OT──▶ awaiting-clinic ─staff─┤
//	                   └────▶ refused  ├──staff──▶ missed
//	                                   └──the clock──▶ over
//
// The calendar is in PostgreSQL, and so is every rule. Each change there is a
// revision; the run adopts it and forgets what it had planned for older ones (F5):
//
//	adopt a revision ──▶ plan its reminder ───────────────── at the planned instant ──┐
//	      └──▶ at TellAt: publish it ──▶ Helsenorge's receipt, refusal or silence ────┤
//	           (an answer to the citizen goes at once)                                ▼
//	                              helsenorge, nobody: recorded ◀── decide who gives the notice
//	                              pending: asked again later   ◀──┤
//	                              clinic: child workflow notice ◀─┘
//
// One timer wakes the run at the earliest of these instants. A booked appointment
// ends when it is over, any other when nothing is under way; a wish waits for staff
// without limit. A message or change that comes later starts a new run, which reads
// its state from PostgreSQL.
package appointment
