// Package dialogue is the lifecycle of one dialogue: an e-contact or e-consultation
// with a citizen (HITS 1217 §3.2, §3.3), or an e-dialogue that stays in the house (S19,
// S20). It has many messages either way, whoever wrote first.
//
//	   message-received          open (update)
//	          │                        │
//	          ▼         answer         ▼
//	   awaiting-clinic ───────────▶ sending
//	    ▲     │                        │ SendMessage, or PublishMessage in the house
//	    │     │ change: close          ▼
//	    │     │                 awaiting-receipt ──▶ needs-operator ──change: resend──▶ sending
//	    │     │                    │       │         (rejected, overdue, failed)
//	    │     ▼                    │       ▼
//	    ├── closed ◀─(13, 26, 30)──┘    answered
//	    └─────────── message-received ─────┘
//
//	answer clock: the first owed message ──▶ warn ──▶ deputy ──▶ administrator ──▶ overdue;
//	              an accepted answer or a close stops it, nothing else does (F13)
//	change:       take, assign, forward, close, convert, resend: PostgreSQL decides,
//	              the run adopts what it must know: process, message to send, clock
//
// A citizen's message goes to the inbox, and in an e-consultation to the journal too
// (S50, S53), as does what the clinic sends in one. A conversion makes an e-contact an
// e-consultation (F14): it journals what is stored, and the run whatever comes or leaves
// after it. Therefore a change is applied while nothing else is decided: a message is
// placed and a change applied one at a time, and answers, and what has just been sent,
// wait for a change to be through. So PostgreSQL and the run agree on which was first (D9).
//
// The run ends when nothing is owed, nothing is under way and flow.IdleBeforeEnd has
// passed without a word; the next message or command starts a new run, which reads its
// state from PostgreSQL.
package dialogue
