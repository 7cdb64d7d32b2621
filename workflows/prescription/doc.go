// Package prescription is the lifecycle of one renewal request (HITS 1217 §3.1):
// the citizen asks once, the clinic answers once, and the citizen cannot write
// back.
//
//	received ──▶ awaiting-clinic ──answer──▶ sending ──▶ awaiting-receipt ──▶ answered
//	                                                              └──────▶ needs-operator
//
// It is not journalled by itself (S53). The run ends when the answer has its
// terminal outcome.
package prescription
