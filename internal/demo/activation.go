package demo

import (
	"time"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/domain/activation"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
)

// Organisation is the entry of a clinic's organisation in the address registry, as every
// precondition of its activation wants it.
func Organisation(c pg.Clinic) registry.Party {
	p := registry.Party{HerID: c.HerID, Name: c.Name, Member: true}
	for _, s := range c.Staff {
		if s.HerID != 0 {
			p.Employees = append(p.Employees, s.HerID)
		}
	}
	for _, use := range []string{activation.UseSigning, activation.UseEncryption} {
		p.Certificates = append(p.Certificates, activation.Certificate{
			Use: use, ValidFrom: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), ValidUntil: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		})
	}
	return p
}

// Activation lists what an operator does to activate a clinic and each of its GPs, in
// order. Its ids are made of the clinic's, so that doing it again changes nothing.
func Activation(c pg.Clinic) []pg.ActivationChange {
	all := []pg.ActivationChange{
		{Kind: pg.SignOffPrecondition, Key: activation.DigitalDialogueOrdered},
		{Kind: pg.SignOffPrecondition, Key: activation.RegistrationSignedOff},
		{Kind: pg.ActivateIntegration},
	}
	active := map[string]bool{}
	for _, p := range c.Parties {
		if p.StaffID != "" && !active[p.StaffID] {
			active[p.StaffID] = true
			all = append(all, pg.ActivationChange{Kind: pg.ActivateIntegration, StaffID: p.StaffID})
		}
	}
	for i := range all {
		all[i].ID = uuid.NewSHA1(uuid.NameSpaceOID, []byte(c.ID+"/"+all[i].StaffID+"/"+string(all[i].Kind)+"/"+string(all[i].Key))).String()
	}
	return all
}
