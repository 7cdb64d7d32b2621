// Package helsenorge reads and writes the messages of Helsenorge's digital
// dialogue: Hodemelding 1.2 with Dialogmelding 1.1, iCalendar (xCal),
// Helsepersonell, Pasientrelasjon, Personer, M1 and attachments, and the application
// receipts (AppRec) 1.1 and 1.0. It does no I/O and keeps no state.
//
// Reading is liberal where official material is sloppy, and final where the
// schemas are: Read gives the verdict that the XSDs give, with the rule in words.
// Writing is strict: it refuses whatever the schemas or the implementation guide
// (HITS 1217) refuse, and names the field.
//
// Read in full: DIALOG_INNBYGGER_EKONSULTASJON, _EKONTAKT, _RESEPTFORNYELSE,
// _TIMERESERVASJON, _TIMEONSKE, _AVTALEUTSENDING, _AVTALEAVBESTILLING,
// _BEHANDLEROVERSIKT, _DIGITALBRUKER and _TEST. Any other process is read as far as
// its head, and its documents as far as they are of the same formats or Dialogmelding
// 1.0. The others are named in Message.Unknown: the schemas judge Leveringsrapport,
// MeldingInnbygger, Videreformidling, TjenesteOversikt and a signature in the head, and
// nothing of them is read.
//
// What the schemas' verdict is not asked about: whether the ids of an M1 document meet;
// xsi:type that names a type of the standard's own, which is refused; an attribute of
// kith.xsd in free text, which is let pass.
package helsenorge
