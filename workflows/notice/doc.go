// Package notice is one notice that the clinic itself gives a patient (S89, S90),
// channel by channel until one has it. It is a child of its appointment and
// outlives the appointment's run.
//
//	next hop ──▶ send ──delivered, failed, unknown, withheld, given up──▶ next hop
//	   │          └──accepted──▶ wait ──report, or the time is out──▶ next hop
//	   ├──no provider takes it now──▶ wait ──▶ next hop
//	   └──done──▶ delivered | sent | superseded | suppressed | expired | failed
//
// Which channel is next, whether the notice is still true and allowed, and when it
// is too late, is decided anew before each hop from PostgreSQL (F2), which also
// knows what became of every attempt: a report only wakes the run. The same channel
// never gets the same notice twice: only one that certainly does not have it, because
// its provider refused for now, has another turn (F17). Push goes out beside the
// others and is never waited for in their place.
package notice
