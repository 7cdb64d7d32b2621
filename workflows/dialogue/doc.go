// Package dialogue is the lifecycle of one e-contact or e-consultation with a
// citizen (HITS 1217 §3.2, §3.3): many messages, answered by the clinic.
//
//	             message-received
//	                    │
//	                    ▼         answer (update)
//	received ──▶ awaiting-clinic ───────────────▶ sending
//	                    ▲                            │ SendMessage
//	   message-received │                            ▼
//	                    ├────────── answered ◀── awaiting-receipt ──▶ needs-operator
//	                    └────────── closed   ◀──────┘ (13, 26, 30)     (rejected, overdue, failed)
//
// The citizen's message goes to the inbox, and for an e-consultation to the
// journal too (S50, S53), as does the clinic's answer to one. The run ends when
// nothing is owed, nothing is under way and flow.IdleBeforeEnd has passed without
// a word; the next message or answer starts a new run, which reads its state from
// PostgreSQL.
package dialogue
