package helsenorge

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// sampleOf is the one official sample of the name.
func sampleOf(t *testing.T, part string) *Message {
	t.Helper()
	found := samples(t, part)
	require.Len(t, found, 1, part)
	for name, raw := range found {
		m, problems := Read(raw)
		require.Empty(t, problems, name)
		return m
	}
	return nil
}

// Every official sample of an appointment reads to what it says.
func TestReadSamplesOfAppointments(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		instant, err := time.Parse(time.RFC3339, s)
		require.NoError(t, err)
		return instant.UTC()
	}
	reserved := Event{
		UID: "4088E990AD89CB3DBB484909", StartsAt: at("2019-07-05T11:45:00+02:00"), EndsAt: at("2019-07-05T12:00:00+02:00"), Contact: 91095,
	}
	known := reserved
	known.RelatedTo = "651b1341-26ca-11e4-8c21-0800200c9a66"
	gone := known
	gone.UID = known.RelatedTo
	told := Event{
		UID: "8818f900-7882-4dbc-9aea-b187f41c2ded", StartsAt: at("2019-06-01T11:45:00+02:00"), EndsAt: at("2019-06-01T12:00:00+02:00"),
		Contact: 91095, Summary: "Allergitest", Location: "Legegate 12C",
	}
	missed := told
	missed.StartsAt, missed.EndsAt = at("2019-05-21T16:00:00+02:00"), at("2019-05-21T16:30:00+02:00")
	wished := Event{
		UID: "37151045-713f-433c-a9f3-ef52bcdeb904", StartsAt: at("2019-06-06T11:45:00+02:00"), EndsAt: at("2014-06-06T12:00:00+02:00"),
		Contact: 910952, RelatedTo: "64507c1c-1fbc-4caa-8407-822bda886570", Categories: []string{"Konsultasjon"},
	}
	moved := wished
	moved.UID, moved.StartsAt, moved.EndsAt = "efa08a3d-b49d-4b35-80f2-27063a47eff9", at("2019-06-07T11:45:00+02:00"), at("2014-06-07T12:00:00+02:00")
	granted := Event{
		UID: "915c0b2a-fb5c-427e-9620-14a3e6ec9a3e", StartsAt: at("2019-05-23T11:45:00+02:00"), EndsAt: at("2019-05-23T12:00:00+02:00"),
		Contact: 910952, Categories: []string{"Konsultasjon"},
	}
	visit := Event{
		UID: "AC5B5659CB0913BB7F841900", StartsAt: at("2019-05-20T09:05:00+02:00"), EndsAt: at("2017-04-20T10:05:00+02:00"), Contact: 93971,
		RelatedTo: "A650C1AB-30BD-75C9-777C-62772D4C90BE", Description: "Gulvvask og kaffe", Location: "Hjemmebesøk", Status: "COMPLETED",
	}
	tests := []struct {
		sample, process, code string
		request               bool
		events                []Event
		coded                 string
	}{
		{"TIMERESERVASJON__1.2__ledige-timer-foresporsel", codes.Timereservasjon, "HLT", true, nil, ""},
		{"TIMERESERVASJON__1.2__ledige-timer-svar", codes.Timereservasjon, "04", false, nil, ""},
		{"TIMERESERVASJON__1.2__planlagte-timer-foresporsel", codes.Timereservasjon, "HLT", true, nil, ""},
		{"TIMERESERVASJON__1.2__planlagte-timer-svar", codes.Timereservasjon, "02", false, nil, ""},
		{"TIMERESERVASJON__1.2__reserver-time-foresporsel", codes.Timereservasjon, "RT", true, []Event{reserved}, "1"},
		{"TIMERESERVASJON__1.2__reserver-time-svar", codes.Timereservasjon, "30", false, []Event{known}, ""},
		{"TIMERESERVASJON__1.2__avbestill-time-svar-helsepersonell-avbestilling", codes.Timereservasjon, "08", false, []Event{gone}, ""},
		{"TIMERESERVASJON__1.2__avbestill-time-svar-helsepersonell-time-kunne", codes.Timereservasjon, "09", false, []Event{known}, ""},
		{"TIMERESERVASJON__1.2__avtaleutsending-helsepersonell-timereservasjon", codes.Timereservasjon, "05", true, []Event{told}, ""},
		{"TIMERESERVASJON__1.2__avtaleutsending-helsepersonell-avbestilling", codes.Timereservasjon, "08", true, []Event{told}, ""},
		{"TIMERESERVASJON__1.2__avtaleutsending-helsepersonell-pasient", codes.Timereservasjon, "11", true, []Event{missed}, ""},
		{"TIMERESERVASJON__1.2__avtaleutsending-helsepersonell-melding", codes.Timereservasjon, "MOA", true, []Event{visit}, ""},
		{"AVTALEUTSENDING__1.0__avtaleutsending-helsepersonell-timereservasjon", codes.Avtaleutsending, "05", true, []Event{told}, ""},
		{"AVTALEUTSENDING__1.0__avtaleutsending-helsepersonell-endring", codes.Avtaleutsending, "07", true, []Event{told}, ""},
		{"AVTALEUTSENDING__1.0__avtaleutsending-helsepersonell-avbestilling", codes.Avtaleutsending, "08", true, []Event{told}, ""},
		{"AVTALEAVBESTILLING__1.0__avbestill-time-foresporsel", codes.Avtaleavbestilling, "ART", true, []Event{known}, "2"},
		{"AVTALEAVBESTILLING__1.0__avbestill-time-svar", codes.Avtaleavbestilling, "08", false, []Event{gone}, ""},
		{"TIMEONSKE__1.2__onske-om-time-foresporsel", codes.Timeonske, "OT", true, nil, "1"},
		{"TIMEONSKE__1.2__onske-om-time-svar-helsepersonell-time-ikke", codes.Timeonske, "06", false, nil, ""},
		{"TIMEONSKE__1.2__onske-om-time-svar-helsepersonell-timereservasjon", codes.Timeonske, "05", false, []Event{granted}, ""},
		{"TIMEONSKE__1.2__onske-om-avbestilling-av-time-foresporsel", codes.Timeonske, "OAT", true, []Event{wished}, ""},
		{"TIMEONSKE__1.2__onske-om-avbestilling-av-time-svar", codes.Timeonske, "08", false, []Event{wished}, ""},
		{"TIMEONSKE__1.2__onske-om-endring-av-time-svar-helsepersonell-endring", codes.Timeonske, "07", false, []Event{moved}, ""},
		{"TIMEONSKE__1.2__onske-om-endring-av-time-svar-helsepersonell-time", codes.Timeonske, "34", false, []Event{wished}, ""},
		{"BEHANDLEROVERSIKT__1.1__behandleroversikt-foresporsel", codes.Behandleroversikt, "HB", true, nil, ""},
		{"BEHANDLEROVERSIKT__1.1__behandleroversikt-svar", codes.Behandleroversikt, "21", false, nil, ""},
	}
	for _, tt := range tests {
		m := sampleOf(t, tt.sample)
		require.Equal(t, tt.process, m.Head.Process, tt.sample)
		require.Equal(t, tt.code, m.Dialog.Function(), tt.sample)
		require.Equal(t, tt.request, m.Dialog.Request != nil, tt.sample)
		require.Equal(t, tt.events, m.Events, tt.sample)
		require.Empty(t, m.Unknown, tt.sample)
		if tt.request {
			coded := ""
			if m.Dialog.Request.Coded != nil {
				coded = m.Dialog.Request.Coded.V
			}
			require.Equal(t, tt.coded, coded, tt.sample)
		}
	}
	appointments := 0
	for name := range samples(t, "DIALOG_INNBYGGER") {
		for _, process := range []string{"_TIMERESERVASJON_", "_TIMEONSKE_", "_AVTALE", "_BEHANDLEROVERSIKT_"} {
			if strings.Contains(name, process) {
				appointments++
			}
		}
	}
	require.Len(t, tests, appointments, "every sample has its line")
}

func TestReadSampleOfSlotsRequest(t *testing.T) {
	t.Parallel()
	r := sampleOf(t, "ledige-timer-foresporsel").Dialog.Request
	require.Equal(t, time.Date(2014, 1, 30, 0, 0, 0, 0, time.UTC), r.From)
	require.Equal(t, time.Date(2014, 2, 27, 0, 0, 0, 0, time.UTC), r.To)
	require.Equal(t, Code{V: "HLT", S: codes.Requests.OID(), DN: "Hent ledige timer"}, r.Type)
	none := sampleOf(t, "planlagte-timer-foresporsel").Dialog.Request
	require.Zero(t, none.From)
	require.Zero(t, none.To)
}

func TestReadSampleOfPractitioners(t *testing.T) {
	t.Parallel()
	list := sampleOf(t, "svar-helsepersonell-behandlere").Practitioners
	require.Len(t, list, 3)
	require.Equal(t, "Fastlegesen", list[0].Professional.FamilyName)
	require.Equal(t, "15", list[0].Professional.RoleToPatient.V)
	require.Equal(t, []Ident{{ID: "941102", Type: code(codes.PersonIDs, codes.HPR)}}, list[0].Professional.Idents)
	require.Equal(t, "Vikarierer for fastlege August September hver onsdag frem til 1. juli 2015.", list[0].Remark)
	require.Equal(t, Code{V: "SP", DN: "Sykepleier"}, list[2].Category)
}

// What official material does differently is read as it is meant, and nothing of
// it makes a message unacceptable that does not need it.
func TestReadAppointmentsIsLiberal(t *testing.T) {
	t.Parallel()
	const contact = "<contact><text>600201</text></contact>"
	tests := []struct {
		name, file, old, replacement string
		check                        func(*testing.T, *Message)
	}{
		{"a receipt wanted of what is answered at once", "booking-HLT", `<Ack V="N" DN="Nei"/>`, `<Ack V="J" DN="Ja"/>`, func(t *testing.T, m *Message) {
			require.True(t, m.Head.WantsReceipt)
			require.True(t, m.Synchronous())
		}},
		{"free slots of no days", "booking-HLT", "<FraDato>2026-06-15</FraDato><TilDato>2026-07-13</TilDato>", "", func(t *testing.T, m *Message) {
			require.Zero(t, m.Dialog.Request.From)
		}},
		{"a date with zone", "booking-HLT", "<FraDato>2026-06-15", "<FraDato>2026-06-15+02:00", func(t *testing.T, m *Message) {
			require.Equal(t, time.Date(2026, 6, 15, 0, 0, 0, 0, time.UTC), m.Dialog.Request.From)
		}},
		{"five weeks", "booking-HLT", "<TilDato>2026-07-13", "<TilDato>2026-07-20", func(t *testing.T, m *Message) {
			require.Equal(t, time.Date(2026, 7, 20, 0, 0, 0, 0, time.UTC), m.Dialog.Request.To)
		}},
		{"misspelt process", "cancelling-ART", codes.Avtaleavbestilling, "DIALOG_INNBYGGER_AVTALEBESTILLING", func(t *testing.T, m *Message) {
			require.Equal(t, codes.Avtaleavbestilling, m.Head.Process)
			require.Equal(t, "DIALOG_INNBYGGER_AVTALEBESTILLING", ReceiptFor(m.Head, secondID, now, nil).OriginalType.V, "the receipt says what was sent")
			require.Equal(t, codes.Avtaleavbestilling, ReplyHead(m.Head, secondID, now, "").Process)
			require.Empty(t, ReplyHead(m.Head, secondID, now, "").ProcessLiteral)
		}},
		{"practitioners said to be none", "overview-20", `V="20" S="2.16.578.1.12.4.1.1.7602" DN="Behandlere"`, `V="21" S="2.16.578.1.12.4.1.1.7602" DN="Behandlere"`, func(t *testing.T, m *Message) {
			require.Equal(t, practitioners(), m.Practitioners)
		}},
		{"end before the start", "booking-RT", "<dtend><date-time>2026", "<dtend><date-time>2014", func(t *testing.T, m *Message) {
			require.Equal(t, 2014, m.Events[0].EndsAt.Year())
			require.False(t, m.Events[0].Timed())
		}},
		{"no end", "booking-ART", "<dtend><date-time>2026-06-24T09:35:00</date-time></dtend>", "", func(t *testing.T, m *Message) {
			require.Zero(t, m.Events[0].EndsAt)
			require.Equal(t, appointmentAt, m.Events[0].StartsAt)
		}},
		{"no UUID", "booking-RT", slotID, "4088E990AD89CB3DBB484909", func(t *testing.T, m *Message) {
			require.Equal(t, "4088E990AD89CB3DBB484909", m.Events[0].UID)
		}},
		{"an answer without reference", "wish-08", "<ConversationRef><RefToParent>" + firstID + "</RefToParent><RefToConversation>" + firstID + "</RefToConversation></ConversationRef>", "", func(t *testing.T, m *Message) {
			require.Empty(t, m.Head.RefToParent)
		}},
		{"status that is no event's", "booking-told-MOA", "CONFIRMED", "COMPLETED", func(t *testing.T, m *Message) {
			require.Equal(t, "COMPLETED", m.Events[0].Status)
		}},
		{"category of no list", "wish-05", contact, contact + "<categories><text> Konsultasjon </text></categories>", func(t *testing.T, m *Message) {
			require.Equal(t, []string{"Konsultasjon"}, m.Events[0].Categories)
		}},
		{"service in lower case", "wish-05", contact, contact + "<categories><text>tjenesteId:9</text></categories>", func(t *testing.T, m *Message) {
			require.Equal(t, "9", m.Events[0].Service())
		}},
		{"service after a blank", "wish-05", contact, contact + "<categories><text>Video</text><text>TjenesteId: 9</text></categories>", func(t *testing.T, m *Message) {
			require.Equal(t, "9", m.Events[0].Service())
			require.True(t, m.Events[0].Has(CategoryVideo))
		}},
		{"categories apart", "wish-05", contact, contact + "<categories><text>Video</text></categories><categories><text>Lab</text></categories>", func(t *testing.T, m *Message) {
			require.Equal(t, []string{"Video", "Lab"}, m.Events[0].Categories)
			require.Empty(t, m.Events[0].Service())
		}},
		{"wish without the choice of another practitioner", "wish-OAT", `<KodetOpplysning V="2" S="2.16.578.1.12.4.1.1.1101" DN="Nei"/>`, "", func(t *testing.T, m *Message) {
			require.Nil(t, m.Dialog.Request.Coded)
		}},
		{"half an hour as half a year", "booking-01", contact, contact + "<x-expected-duration><duration>P30M</duration></x-expected-duration>", func(t *testing.T, m *Message) {
			require.Len(t, m.Events, 2)
		}},
		{"blank after the HER-id", "booking-RT", ">600201</text></contact>", ">600201 </text></contact>", func(t *testing.T, m *Message) {
			require.Equal(t, 600201, m.Events[0].Contact)
		}},
		{"contact that is no HER-id", "booking-RT", ">600201</text></contact>", ">Legen</text></contact>", func(t *testing.T, m *Message) {
			require.Zero(t, m.Events[0].Contact)
		}},
		{"UTC", "booking-RT", "2026-06-24T09:15:00<", "2026-06-24T07:15:00Z<", func(t *testing.T, m *Message) {
			require.Equal(t, appointmentAt, m.Events[0].StartsAt)
		}},
		{"a whole day", "booking-RT", "<date-time>2026-06-24T09:15:00</date-time>", "<date>2026-06-24</date>", func(t *testing.T, m *Message) {
			require.Equal(t, time.Date(2026, 6, 23, 22, 0, 0, 0, time.UTC), m.Events[0].StartsAt)
		}},
		{"relation as a uid", "booking-ART", "<uri>" + slotID + "</uri>", "<uid> " + slotID + " </uid>", func(t *testing.T, m *Message) {
			require.Equal(t, slotID, m.Events[0].RelatedTo)
		}},
		{"relation as a text", "booking-ART", "<uri>" + slotID + "</uri>", "<parameters><reltype><text>PARENT</text></reltype></parameters><text>" + slotID + "</text>", func(t *testing.T, m *Message) {
			require.Equal(t, slotID, m.Events[0].RelatedTo)
		}},
		{"no relation", "booking-ART", "<related-to><uri>" + slotID + "</uri></related-to>", "", func(t *testing.T, m *Message) {
			require.Empty(t, m.Events[0].RelatedTo)
			require.Equal(t, appointmentID, m.Events[0].UID)
		}},
		{"text in a push", "booking-told-05", "<RollerRelatertNotat>", "<Sporsmal>Hei</Sporsmal><RollerRelatertNotat>", func(t *testing.T, m *Message) {
			require.Equal(t, "Hei", m.Dialog.Request.Text.Plain)
		}},
		{"events where the code has none", "booking-04", "</MsgHead>", document("<icalendar xmlns=\"" + nsCalendar + "\"><vcalendar><components/></vcalendar></icalendar>"), func(t *testing.T, m *Message) {
			require.NotNil(t, m.Events)
			require.Empty(t, m.Events)
		}},
		{"the older list of practitioners", "booking-05", "</MsgHead>", document(`<Helsepersonell xmlns="` + nsPractitionersOld + `" xmlns:f="` + nsShared + `"><Helsepersonell><f:FamilyName>Ås</f:FamilyName><f:Ident><f:Id>9999001</f:Id><f:TypeId V="HPR"/></f:Ident></Helsepersonell></Helsepersonell>`), func(t *testing.T, m *Message) {
			require.Len(t, m.Practitioners, 2)
			require.Equal(t, "Ås", m.Practitioners[1].Professional.FamilyName)
			require.Empty(t, m.Practitioners[1].Remark)
		}},
		{"one entry as a document", "booking-05", "</MsgHead>", document(`<Helsepersonell xmlns="` + nsPractitioners + `"><Merknad>x</Merknad></Helsepersonell>`), func(t *testing.T, m *Message) {
			require.Len(t, m.Practitioners, 1, "it names nobody")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, problems := Read(edited(t, tt.file, tt.old, tt.replacement))
			require.Empty(t, problems)
			tt.check(t, m)
		})
	}
}

// document is one more document at the end of a message.
func document(content string) string {
	return `<Document><RefDoc><MsgType V="XML"/><Content>` + content + `</Content></RefDoc></Document></MsgHead>`
}

func TestReadRefusesAppointments(t *testing.T) {
	t.Parallel()
	calendar := regexp.MustCompile(`<Document><RefDoc>(?:<IssueDate[^>]*>)?<MsgType[^>]*><Content><icalendar.*</icalendar></Content></RefDoc></Document>`)
	event := regexp.MustCompile(`<vevent>.*</vevent>`)
	list := regexp.MustCompile(`<HelsepersonelListe.*</HelsepersonelListe>`)
	tests := []struct {
		name, file string
		change     func(string) string
		code, path string
	}{
		{"booking of nothing", "booking-RT", func(s string) string { return calendar.ReplaceAllString(s, "") }, "T02", "MsgHead/Document/RefDoc/Content/icalendar"},
		{"cancellation of nothing", "cancelling-ART", func(s string) string { return event.ReplaceAllString(s, "") }, "T02", "MsgHead/Document/RefDoc/Content/icalendar"},
		{"booking of two", "booking-RT", func(s string) string { return event.ReplaceAllString(s, "$0$0") }, "T02", "MsgHead/Document/RefDoc/Content/icalendar"},
		{"no slots", "booking-03", func(s string) string { return event.ReplaceAllString(s, "") }, "T02", "MsgHead/Document/RefDoc/Content/icalendar"},
		{"nobody", "overview-20", func(s string) string {
			return list.ReplaceAllString(s, `<HelsepersonelListe xmlns="`+nsPractitioners+`"/>`)
		}, "T02", "MsgHead/Document/RefDoc/Content/HelsepersonelListe"},
		{"no components in an event", "booking-RT", func(s string) string { return strings.Replace(s, "<components/>", "", 1) }, "T02",
			"MsgHead/Document[3]/RefDoc/Content/icalendar/vcalendar[1]/components/vevent[1]"},
		{"a numeric offset", "booking-RT", func(s string) string {
			return strings.Replace(s, "2026-06-24T09:15:00<", "2026-06-24T09:15:00+02:00<", 1)
		}, "T02",
			"MsgHead/Document[3]/RefDoc/Content/icalendar/vcalendar[1]/components/vevent[1]/properties/dtstart[1]/date-time"},
		{"a practitioner without number", "overview-20", func(s string) string {
			return regexp.MustCompile(`<fk1:Ident>.*?</fk1:Ident>`).ReplaceAllString(s, "")
		}, "T02", "MsgHead/Document[2]/RefDoc/Content/HelsepersonelListe/Helsepersonell[1]/Helsepersonell[1]"},
		{"no patient", "booking-HLT", func(s string) string {
			return regexp.MustCompile(`<Patient>.*</Patient>`).ReplaceAllString(s, "")
		}, "E36", "MsgHead/MsgInfo/Patient"},
		{"practitioners in an e-contact", "contact-HE", func(s string) string {
			return strings.Replace(s, "</MsgHead>", document(`<HelsepersonelListe xmlns="`+nsPractitioners+`"/>`), 1)
		}, "T10", "MsgHead/Document[2]/RefDoc/Content"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before := golden(t, tt.file)
			after := tt.change(before)
			require.NotEqual(t, before, after)
			m, problems := Read([]byte(after))
			require.NotNil(t, m)
			require.NotEmpty(t, problems)
			require.Equal(t, tt.code, problems[0].Code)
			require.Equal(t, tt.path, problems[0].Path)
		})
	}
}
