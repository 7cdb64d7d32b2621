package listen

import (
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
)

// tells finds what is told of who can be reached on Helsenorge: unasked, or in answer
// to a question that the clinic has no need of, since there is a service to ask (HITS
// 1217 §3.9). Nobody answers it.
func tells(function string) bool {
	switch function {
	case codes.ActivityStatus, codes.ActivePeople, codes.NobodyActive, codes.RequestRefused, codes.GeneralError:
		return true
	}
	return false
}

// activity is what such a message tells. A status of another code than yes and no tells
// nothing; who is not on a list of active people may just not have been asked about.
func activity(m *helsenorge.Message) (all []pg.ReportedActivity) {
	switch r, who := m.Dialog.Request, m.Head.Patient; m.Dialog.Function() {
	case codes.ActivityStatus:
		if r != nil && r.Coded != nil && who != nil && (r.Coded.V == codes.BecameActive || r.Coded.V == codes.BecameInactive) {
			all = append(all, pg.ReportedActivity{NationalID: who.NationalID, Active: r.Coded.V == codes.BecameActive})
		}
	case codes.ActivePeople:
		for _, p := range m.People {
			all = append(all, pg.ReportedActivity{NationalID: p.NationalID, Active: true})
		}
	}
	return all
}
