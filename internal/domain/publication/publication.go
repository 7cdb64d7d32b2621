// Package publication decides which one message tells Helsenorge of a change to an
// appointment (HITS 1217 §3.4.1): one message for each real change, none for what
// does not matter, and none at all for what is hidden.
package publication

import "time"

// Codes of 7602 that an Avtale carries.
const (
	New       = "05"
	Changed   = "07"
	Cancelled = "08"
	NoShow    = "11"
)

// Reasons, beside the code or instead of one.
const (
	// ReasonNew: Helsenorge has not heard of it.
	ReasonNew = "new"
	// ReasonRestored: it was cancelled there, and stands after all.
	ReasonRestored = "restored"
	// ReasonChanged: time, place or category differs, or a no-show was withdrawn.
	ReasonChanged = "changed"
	// ReasonUnhidden: it was hidden after it had been published, and is shown again
	// (D10): one change, not a storm.
	ReasonUnhidden = "unhidden"
	// ReasonCancelled: it stands there, and is cancelled.
	ReasonCancelled = "cancelled"
	// ReasonNoShow: the patient did not come; told whatever the booking channel.
	ReasonNoShow = "no-show"
	// ReasonNoChange: what is published is what is true.
	ReasonNoChange = "no-change"
	// ReasonHidden: nothing of it leaves (S82, A4).
	ReasonHidden = "hidden"
	// ReasonNeverPublished: it is cancelled, and nobody there has heard of it.
	ReasonNeverPublished = "never-published"
)

// Snapshot is what of an appointment matters to Helsenorge.
type Snapshot struct {
	StartsAt time.Time `json:"starts_at"`
	EndsAt   time.Time `json:"ends_at"`
	Place    string    `json:"place,omitempty"`
	// TypeCategory is the category of 7617 (Ordinær, Hastetime, Video, Tidsvindu).
	TypeCategory string `json:"type_category,omitempty"`
	Cancelled    bool   `json:"cancelled,omitempty"`
	NoShow       bool   `json:"no_show,omitempty"`
	// Hidden: nothing of it may leave. In a published snapshot: it was hidden after
	// it had been published; the caller records that, though nothing was sent.
	Hidden bool `json:"hidden,omitempty"`
}

// Code is the one code that takes Helsenorge from what was published to what is now
// true, and why; "" when nothing leaves, with the reason. published is nil when
// nothing was ever published. An instance of a change is judged as a whole: a move
// done as cancel and new is one comparison, hence one message.
func Code(published *Snapshot, now Snapshot) (code, reason string) {
	p := published
	switch {
	case now.Hidden:
		return "", ReasonHidden
	case now.Cancelled && p == nil:
		return "", ReasonNeverPublished
	case now.Cancelled && p.Cancelled:
		return "", ReasonNoChange
	case now.Cancelled:
		return Cancelled, ReasonCancelled
	case now.NoShow && p != nil && p.NoShow && !p.Cancelled:
		return "", ReasonNoChange
	case now.NoShow:
		return NoShow, ReasonNoShow
	case p == nil:
		return New, ReasonNew
	case p.Cancelled:
		return New, ReasonRestored
	case p.Hidden:
		return Changed, ReasonUnhidden
	case p.NoShow, !p.StartsAt.Equal(now.StartsAt), !p.EndsAt.Equal(now.EndsAt), p.Place != now.Place, p.TypeCategory != now.TypeCategory:
		return Changed, ReasonChanged
	}
	return "", ReasonNoChange
}
