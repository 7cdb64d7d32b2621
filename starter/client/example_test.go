package client_test

import (
	"context"
	"fmt"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/starter/client"
)

// A record system's back end books an appointment and moves it. The ids of both changes
// are the caller's: after an answer that never came, the same call again does it once.
func Example() {
	ctx := context.Background()
	// A program passes a *pg.Store and a Temporal client.
	service := client.New(newStore(""), &fakeTemporal{})
	back := identity.Principal{Subject: "epj", ClinicID: clinicID, Role: identity.RoleService}

	start := time.Date(2026, time.November, 25, 8, 0, 0, 0, time.UTC)
	booked, err := service.BookAppointment(ctx, back, clinicID, client.Booking{
		ID: "0198c0de-0000-7000-8000-0000000000b1", PatientID: patientID, CalendarID: calendarID, TypeID: typeID,
		StartsAt: start, EndsAt: start.Add(20 * time.Minute),
	})
	fmt.Println(booked.AppointmentID, booked.Status, err)

	moved, err := service.AmendAppointment(ctx, back, clinicID, booked.AppointmentID, client.Amendment{
		ID: "0198c0de-0000-7000-8000-0000000000b2", Revision: booked.Revision, StartsAt: start.Add(24 * time.Hour),
	})
	fmt.Println(moved.Status, err)

	_, err = service.BookAppointment(ctx, back, clinicID, client.Booking{PatientID: "Kari"})
	fmt.Println(apperr.KindOf(err), err)
	// Output:
	// 0198c0de-0000-7000-8000-00000000a901 booked <nil>
	// booked <nil>
	// invalid the change has invalid fields
}
