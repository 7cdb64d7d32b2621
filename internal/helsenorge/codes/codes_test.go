package codes

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestListsAreWhole(t *testing.T) {
	t.Parallel()
	for list, entries := range names {
		require.NotEmpty(t, entries, list)
		for v, name := range entries {
			require.Equal(t, strings.TrimSpace(v), v)
			require.NotEmpty(t, name, "%s %s", list, v)
			require.Equal(t, strings.TrimSpace(name), name)
		}
	}
	require.Len(t, names[Requests], 30)
	require.Len(t, names[Answers], 37)
	require.Greater(t, len(names[Processes]), 200)
	require.Len(t, names[Representation], 4)
	require.Len(t, names[AppointmentType], 9)
	for v, name := range names[AppointmentType] {
		require.Equal(t, v, name, "a type is sent as its own text")
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	require.Equal(t, "2.16.578.1.12.4.1.1.7602", Answers.OID())
	require.Equal(t, "Svar på spørsmål, fra behandler", Name(Answers, PractitionerAnswer))
	require.Equal(t, "Dialog med innbygger - eKontakt", Name(Processes, EKontakt))
	require.Equal(t, "XML validerer ikke", Name(ReceiptErrors, SchemaBroken))
	require.Empty(t, Name(Answers, "99"))
	require.Empty(t, Name("1", "1"))
	for _, process := range []string{EKontakt, EKonsultasjon, Reseptfornyelse, Test, Digitalbruker, Timereservasjon, Timeonske, Avtaleutsending, Avtaleavbestilling, Behandleroversikt, Oppgave, AppRec} {
		require.True(t, Known(process), process)
	}
	require.False(t, Known("DIALOG_INNBYGGER_DIGITALKONSULTASJON"), "it is not a process")
	require.False(t, Known(""))
}

// The codes that have a name in this package are in their list.
func TestConstantsAreInTheirList(t *testing.T) {
	t.Parallel()
	for list, values := range map[List][]string{
		Requests: {QuestionToPractitioner, Enquiry, RenewalText, RenewalPrescriptions, DialogueWithCitizen, OneWayToCitizen, UnreadNotice,
			SlotsRequest, PlannedRequest, BookingRequest, CancellationRequest, AppointmentWish, ChangeWish, CancellationWish, AppointmentNotice, PractitionersRequest},
		TestCodes: {TestRequest, TestAnswer},
		Answers: {PractitionerAnswer, DialogueClosed, Renewed, NotRenewed, EnquiryAnswer, CitizenAnswer, RequestRefused, NoAccess, GeneralError, PartlyRenewed,
			PlannedFound, NothingPlanned, SlotsFound, NoSlots, BookingConfirmed, SlotNotAvailable, ChangeConfirmed, CancellationConfirmed, CancellationRefused,
			BookingWithOther, PatientDidNotCome, PractitionersFound, NoPractitioners, ChangeRefused},
		YesNo:         {OtherAccepted, OtherDeclined},
		ReceiptErrors: {NotWellFormed, SchemaBroken, FormatUnsupported, BadMessageID, PatientUnknown, PatientInsufficient},
		ReceiptStatus: {StatusOK, StatusRejected, StatusPartError},
		ReceiptWanted: {Yes, No},
		DocumentTypes: {XMLInstance, AttachmentType},
		PersonIDs:     {Fodselsnummer, DNummer, HPR, HER},
		OrganisationID: {
			HER, ENH,
		},
		PatientRoles: {Fastlege, WishedPractitioner},
		NoteRoles:    {Author},
		ReceiptRoles: {PrimaryReceiver, OriginalSender},
	} {
		for _, v := range values {
			require.True(t, Has(list, v), "%s %s", list, v)
		}
	}
}
