package routing

import "slices"

// Member is somebody who works at the clinic, or has.
type Member struct {
	ID, Position, Role, Unit string
	Groups                   []string
	// HPR is the health personnel number, "" for who has none.
	HPR string
	// DeputyID stands in while the member is not at work; "" for nobody.
	DeputyID string
	// Active is false once he has left. Present is true while he is active and not
	// absent: he can read now.
	Active, Present bool
}

// in tells whether the member stands behind the recipient.
func (m Member) in(r Recipient) bool {
	switch r.Kind {
	case Position:
		return r.ID != "" && m.Position == r.ID
	case Role:
		return r.ID != "" && m.Role == r.ID
	case Unit:
		return r.ID == clinicAll || r.ID != "" && m.Unit == r.ID
	case Group:
		return slices.Contains(m.Groups, r.ID)
	case Personal:
		return m.ID == r.ID
	}
	return false
}

// inboxes are the inboxes that the member stands behind.
func (m Member) inboxes() []Recipient {
	all := []Recipient{personal(m.ID), WholeClinic}
	for _, r := range []Recipient{{Position, m.Position}, {Role, m.Role}, {Unit, m.Unit}} {
		if r.ID != "" && r != WholeClinic {
			all = append(all, r)
		}
	}
	for _, g := range m.Groups {
		all = append(all, Recipient{Group, g})
	}
	return all
}

// Roster is everybody who works at the clinic or has, as they stand at an instant.
type Roster []Member

func (r Roster) member(id string) (Member, bool) {
	i := slices.IndexFunc(r, func(m Member) bool { return m.ID == id })
	if id == "" || i < 0 {
		return Member{}, false
	}
	return r[i], true
}

// Present tells whether the staff member is at work.
func (r Roster) Present(id string) bool {
	m, ok := r.member(id)
	return ok && m.Present
}

// Works tells whether the staff member works here, at work now or not.
func (r Roster) Works(id string) bool {
	m, ok := r.member(id)
	return ok && m.Active
}

// ByHPR is the id of the active staff member with the health personnel number, "" for
// none.
func (r Roster) ByHPR(hpr string) string {
	for _, m := range r {
		if hpr != "" && m.HPR == hpr && m.Active {
			return m.ID
		}
	}
	return ""
}

// reaches tells whether somebody at work stands behind the recipient.
func (r Roster) reaches(at Recipient) bool {
	return slices.ContainsFunc(r, func(m Member) bool { return m.Present && m.in(at) })
}

// Staffed tells whether somebody who works here stands behind the recipient, at work
// now or not.
func (r Roster) Staffed(at Recipient) bool {
	return slices.ContainsFunc(r, func(m Member) bool { return m.Active && m.in(at) })
}

// Reaches tells whether somebody at work reads what is sent to the recipient: one of
// its members, or a deputy of one.
func (r Roster) Reaches(at Recipient) bool { return r.reaches(at) || len(r.deputies(at)) > 0 }

// StandIn is who reads in the place of a staff member who is not at work: his deputy,
// or the deputy's where he is away too; "" for nobody.
func (r Roster) StandIn(id string) string {
	seen := map[string]bool{}
	for m, ok := r.member(id); ok && !seen[m.ID]; m, ok = r.member(m.DeputyID) {
		if m.Present && m.ID != id {
			return m.ID
		}
		seen[m.ID] = true
	}
	return ""
}

// deputies are the inboxes of those who stand in for the members of a recipient that
// are not at work.
func (r Roster) deputies(at Recipient) []Place {
	var places []Place
	for _, m := range r {
		if m.Present || !m.in(at) {
			continue
		}
		if id := r.StandIn(m.ID); id != "" {
			places = append(places, Place{personal(id), ViaDeputy})
		}
	}
	return places
}

// Cover are the inboxes that take the place of one whose members have left: those of
// who stands in for them, else the whole clinic's (F12).
func (r Roster) Cover(at Recipient) []Place {
	var p Placement
	for _, d := range r.deputies(at) {
		p.add(Place{d.Recipient, ViaLeaver})
	}
	if len(p.Places) == 0 {
		p.add(Place{WholeClinic, ViaLeaver})
	}
	return p.Places
}

// Inboxes are those that show themselves to a staff member: his own, and those that he
// covers, whose members are all away and where he stands in for one of them, or nobody
// does. So an absence that begins by the clock hides nothing (F12). Who has left has none.
func (r Roster) Inboxes(id string) (own, covered []Recipient) {
	me, ok := r.member(id)
	if !ok || !me.Active {
		return nil, nil
	}
	own = me.inboxes()
	for _, box := range r.All() {
		if slices.Contains(own, box) || r.reaches(box) {
			continue
		}
		readers := r.deputies(box)
		if len(readers) == 0 || slices.ContainsFunc(readers, func(p Place) bool { return p.ID == id }) {
			covered = append(covered, box)
		}
	}
	return own, covered
}

// All are the inboxes of everybody, each once.
func (r Roster) All() []Recipient {
	var all []Recipient
	seen := map[Recipient]bool{}
	for _, m := range r {
		for _, box := range m.inboxes() {
			if !seen[box] {
				seen[box] = true
				all = append(all, box)
			}
		}
	}
	return all
}

// Reads tells whether an inbox shows itself to the staff member.
func (r Roster) Reads(id string, at Recipient) bool {
	own, covered := r.Inboxes(id)
	return slices.Contains(own, at) || slices.Contains(covered, at)
}
