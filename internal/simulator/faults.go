package simulator

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// Faults are what goes wrong on demand, from now on.
type Faults struct {
	// Receipt is what the clinic's messages get: "" a positive receipt, NoReceipt, or
	// an error code of 8221 such as E35.
	Receipt string `json:"receipt"`
	// ReceiptDelay holds a receipt back, in nanoseconds; it is lost when the simulator
	// stops before. ReceiptTimes is how often it is sent; 0 is once.
	ReceiptDelay time.Duration `json:"receiptDelay,omitempty"`
	ReceiptTimes int           `json:"receiptTimes,omitempty"`
	// Message is what is wrong with what citizens send: "" nothing, Doubled, Reordered,
	// Spoofed, Unreadable, or the name of a Config's broken way of sealing.
	Message string `json:"message,omitempty"`
	// Activity is what is wrong with the digitally-active check: "", ActivityDown or
	// ActivitySlow.
	Activity string `json:"activity,omitempty"`
}

// NoReceipt is the fault that no receipt is sent.
const NoReceipt = "none"

// Faults of the messages of citizens.
const (
	Doubled    = "doubled"    // the queue brings each twice
	Reordered  = "reordered"  // each second one is put on the queue before the first
	Spoofed    = "spoofed"    // another party's HER-id stands on the envelope
	Unreadable = "unreadable" // the XML ends in its middle
)

// Faults of the digitally-active check.
const (
	ActivityDown = "down" // 503
	ActivitySlow = "slow" // it never answers
)

// messageFaults lists what can be wrong with the messages of citizens.
func (h *Helsenorge) messageFaults() []string {
	return append([]string{Doubled, Reordered, Spoofed, Unreadable}, slices.Sorted(maps.Keys(h.cfg.Broken))...)
}

// Faults returns what goes wrong now.
func (h *Helsenorge) Faults() Faults {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.faults
}

// SetFaults changes what goes wrong from now on, or is apperr.Invalid. A message that
// waits for the one after it (Reordered) is sent.
func (h *Helsenorge) SetFaults(ctx context.Context, f Faults) error {
	var wrong []apperr.Field
	if f.Receipt != "" && f.Receipt != NoReceipt && !codes.Has(codes.ReceiptErrors, f.Receipt) {
		wrong = append(wrong, apperr.Field{Path: "receipt", Rule: "none, or a code of 8221 such as E35"})
	}
	if f.ReceiptDelay < 0 || f.ReceiptTimes < 0 {
		wrong = append(wrong, apperr.Field{Path: "receiptDelay, receiptTimes", Rule: "zero or more"})
	}
	if all := h.messageFaults(); f.Message != "" && !slices.Contains(all, f.Message) {
		wrong = append(wrong, apperr.Field{Path: "message", Rule: "one of " + strings.Join(all, ", ")})
	}
	if f.Activity != "" && f.Activity != ActivityDown && f.Activity != ActivitySlow {
		wrong = append(wrong, apperr.Field{Path: "activity", Rule: fmt.Sprintf("%s or %s", ActivityDown, ActivitySlow)})
	}
	if len(wrong) > 0 {
		return apperr.InvalidFields("the simulator has no such fault", wrong...)
	}
	h.mu.Lock()
	h.faults = f
	held := h.held
	h.held = nil
	h.mu.Unlock()
	for _, p := range held {
		if err := h.deliver(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// parcel is a message of a citizen on its way to a party.
type parcel struct {
	from, to             int
	subject, transportID string
	xml                  []byte
}

// deliver puts a citizen's message on the clinic's queue, with what is to be wrong.
func (h *Helsenorge) deliver(ctx context.Context, p parcel) error {
	h.mu.Lock()
	fault := h.faults.Message
	parcels := []parcel{p}
	if fault == Reordered {
		parcels, h.held = append(parcels, h.held...), nil
		if len(parcels) == 1 {
			parcels, h.held = nil, parcels
		}
	}
	h.mu.Unlock()
	sealer, from, times := h.cfg.Sealer, p.from, 1
	switch fault {
	case Doubled:
		times = 2
	case Spoofed:
		from = OtherHerID
	case Unreadable:
		parcels[0].xml = p.xml[:len(p.xml)/2]
	default:
		if broken, ok := h.cfg.Broken[fault]; ok {
			sealer = broken.Sealer
		}
	}
	for _, p := range parcels {
		for range times {
			if err := h.sendSealed(ctx, sealer, p.to, from, p.subject, p.transportID, p.xml); err != nil {
				return err
			}
		}
	}
	return nil
}

// sender is the party that sends the messages of citizens: another one when its
// certificates are what is to be wrong.
func (h *Helsenorge) sender() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return cmp.Or(h.cfg.Broken[h.faults.Message].HerID, HerID)
}
