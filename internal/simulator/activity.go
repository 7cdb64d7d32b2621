package simulator

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/registry"
)

// Activity is how a citizen can be reached on Helsenorge.
type Activity struct {
	Citizen int `json:"citizen"`
	// Self: he has a profile and has consented. ViaOthers: somebody who represents him.
	Self      bool `json:"self"`
	ViaOthers bool `json:"viaOthers"`
	// To is a party that is told of it (SDAB); 0 is none.
	To int `json:"to,omitempty"`
}

// SetActivity says from now on how a citizen can be reached, and tells a party of it
// when it is to. Whoever nothing was said of is active himself, from 16 years on, and as
// a child through others.
func (h *Helsenorge) SetActivity(ctx context.Context, a Activity) error {
	if err := h.write(entry{Activity: &a}); err != nil || a.To == 0 {
		return err
	}
	status := helsenorge.Code{V: codes.BecameActive, S: codes.YesNo.OID()}
	if a.refusal() != "" {
		status.V = codes.BecameInactive
	}
	d := &helsenorge.Dialog{Request: &helsenorge.Request{
		Type:  helsenorge.Code{V: codes.ActivityStatus, S: codes.Requests.OID(), DN: codes.Name(codes.Requests, codes.ActivityStatus)},
		Coded: &status,
	}}
	m, err := h.message(ctx, helsenorge.Head{Process: codes.Digitalbruker}, d, a.Citizen, a.To, acting{})
	if err != nil {
		return err
	}
	_, err = h.put(ctx, m, Action{Kind: statusTold, Citizen: a.Citizen, To: a.To})
	return err
}

// active tells how somebody can be reached.
func (h *Helsenorge) active(nationalID string) Activity {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a, said := h.activity[nationalID]; said {
		return a
	}
	now := time.Now()
	birth, known := nationalid.BirthDate(nationalID, now)
	child := known && birth.AddDate(16, 0, 0).After(now)
	return Activity{Self: !child, ViaOthers: child}
}

// refusal is the code that a message about somebody is refused with: Helsenorge may
// not store one for who cannot be reached (HITS 1217 §2.13).
func (a Activity) refusal() string {
	if a.Self || a.ViaOthers {
		return ""
	}
	return codes.PatientUnknown
}

// maxActivityBody bounds a question for registry.MaxActivityIDs people, in bytes.
const maxActivityBody = 64 << 10

// checkActivity is HelsenorgeAktivSjekken (protocol-appointment §7).
func (h *Helsenorge) checkActivity(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		IDs  []string `json:"fnrListe"`
		Area string   `json:"omraade"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxActivityBody)).Decode(&asked)
	if err != nil || len(asked.IDs) == 0 || len(asked.IDs) > registry.MaxActivityIDs || asked.Area != "Helsehjelp" && asked.Area != "Ungdom" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	fault := h.faults.Activity
	h.mu.Unlock()
	switch fault {
	case ActivityDown:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case ActivitySlow:
		<-r.Context().Done() // until who asks has had enough
		return
	}
	type status struct {
		Self      bool `json:"erDigitaltAktivSelv"`
		ViaOthers bool `json:"erDigitaltAktivViaAndre"`
		Proxy     bool `json:"tildeltFullmakt"`
	}
	all := make(map[string]status, len(asked.IDs))
	for _, id := range asked.IDs {
		a := h.active(id)
		all[id] = status{Self: a.Self, ViaOthers: a.ViaOthers}
	}
	answer(w, http.StatusOK, map[string]any{"erAktivListe": all})
}
