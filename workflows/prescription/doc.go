// Package prescription is the lifecycle of one renewal request (HITS 1217 §3.1):
// the citizen asks once, the clinic answers once, item by item (F15), and the citizen
// cannot write back.
//
//	received ──▶ awaiting-clinic ──answer──▶ sending ──▶ awaiting-receipt ──▶ answered
//	                  │   ▲                     ▲                 └──────▶ needs-operator
//	                  └───┘                     └──────── change: resend ───────┘
//	      change: take, assign, forward, split
//
//	answer clock: the request ──▶ warn ──▶ deputy ──▶ administrator ──▶ overdue;
//	              the accepted answer stops it (F13)
//
// It is not journalled by itself (S53). The run ends when the answer has its
// terminal outcome; the request stays closed when its answer is turned into a dialogue,
// which has a lifecycle of its own (S68).
package prescription
