package helsenorge

import (
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// Limits of what is written. They are those of Helsenorge's own user interface
// (HITS 1217 §2.4.1) and of its queue; a received message may exceed them.
const (
	// MaxSubject is in characters.
	MaxSubject = 50
	// MaxText is in characters of the plain text.
	MaxText = 1000
	// MaxMessageBytes is the size of a written message. Helsenorge takes 20 MB of
	// sealed message; sealing as DER adds a few kilobytes.
	MaxMessageBytes = 20_000_000 - 64<<10
	// MaxSlotDays is how far FraDato and TilDato may be apart (HITS 1217 §3.4.2).
	MaxSlotDays = 28
)

// side is a side of the dialogue, or both.
type side uint8

const (
	citizen side = 1 << iota
	clinic
)

// function is what one code of one process permits and demands: the tables of
// HITS 1217 §3.1 to §3.3, where they go beyond the schema.
type function struct {
	// list is the code's list.
	list codes.List
	// request tells Foresporsel from Notat.
	request bool
	// sides say who sends it.
	sides side
	// thread demands ConversationRef; without it there must be none.
	thread bool
	// needsSubject and needsText demand the two texts.
	needsSubject, needsText bool
	// subjectFromCode writes the code's name as Tema when there is none: answers
	// to a renewal have been shown by Tema alone.
	subjectFromCode bool
	// needsDelivery demands KodetOpplysning of 8324; others must not have it.
	needsDelivery bool
	// caseID, attachments and roles may occur.
	caseID, attachments, roles bool
	// needsM1 is not written: one M1 document per prescription is demanded.
	needsM1 bool
}

var profile = map[string]map[string]function{
	codes.EKonsultasjon: {
		"SB":  {list: codes.Requests, request: true, sides: citizen, needsSubject: true, needsText: true, attachments: true, roles: true},
		"DI":  {list: codes.Requests, request: true, sides: clinic, needsSubject: true, needsText: true, attachments: true, roles: true},
		"EKI": {list: codes.Requests, request: true, sides: clinic, needsSubject: true, needsText: true, attachments: true, roles: true},
		"12":  {list: codes.Answers, sides: clinic, thread: true, needsText: true, attachments: true, roles: true},
		"13":  {list: codes.Answers, sides: clinic, thread: true, needsText: true, attachments: true, roles: true},
		"22":  {list: codes.Answers, sides: citizen, thread: true, needsText: true, attachments: true, roles: true},
		"26":  {list: codes.Answers, sides: citizen | clinic, thread: true, needsText: true, attachments: true, roles: true},
		"30":  {list: codes.Answers, sides: clinic, thread: true, needsText: true, attachments: true, roles: true},
		"31":  {list: codes.Answers, sides: citizen | clinic, thread: true, needsText: true, attachments: true, roles: true},
	},
	codes.EKontakt: {
		"HE":  {list: codes.Requests, request: true, sides: citizen, caseID: true, attachments: true},
		"VUS": {list: codes.Requests, request: true, sides: citizen, thread: true, caseID: true},
		"DI":  {list: codes.Requests, request: true, sides: clinic, needsSubject: true, needsText: true, caseID: true, attachments: true},
		"EKI": {list: codes.Requests, request: true, sides: clinic, needsSubject: true, needsText: true, caseID: true, attachments: true},
		"19":  {list: codes.Answers, sides: clinic, thread: true, needsText: true, caseID: true, attachments: true, roles: true},
		"22":  {list: codes.Answers, sides: citizen, thread: true, needsText: true, caseID: true, attachments: true},
		"26":  {list: codes.Answers, sides: citizen | clinic, thread: true, needsText: true, caseID: true, attachments: true, roles: true},
		"30":  {list: codes.Answers, sides: clinic, thread: true, needsText: true, caseID: true, attachments: true, roles: true},
		"31":  {list: codes.Answers, sides: citizen | clinic, thread: true, needsText: true, caseID: true, attachments: true, roles: true},
	},
	codes.Reseptfornyelse: {
		"RF":   {list: codes.Requests, request: true, sides: citizen, needsText: true, needsDelivery: true, caseID: true, roles: true},
		"RFER": {list: codes.Requests, request: true, sides: citizen, needsM1: true},
		"14":   {list: codes.Answers, sides: clinic, thread: true, needsM1: true},
		"32":   {list: codes.Answers, sides: clinic, thread: true, needsM1: true},
		"15":   {list: codes.Answers, sides: clinic, thread: true, needsText: true, subjectFromCode: true, roles: true},
		"26":   {list: codes.Answers, sides: clinic, thread: true, needsText: true, subjectFromCode: true, roles: true},
		"30":   {list: codes.Answers, sides: clinic, thread: true, needsText: true, subjectFromCode: true, roles: true},
	},
	codes.Test: {
		"KT":  {list: codes.TestCodes, request: true, sides: citizen | clinic},
		"RKT": {list: codes.TestCodes, sides: citizen | clinic, thread: true},
	},
}

// refusals are what may be written in every other process of 8279: that the
// message was right and is not taken (HITS 1217 §2.4.3, §2.13.3).
var refusals = map[string]function{
	"26": {list: codes.Answers, sides: clinic, thread: true, needsText: true},
	"30": {list: codes.Answers, sides: clinic, thread: true, needsText: true},
	"31": {list: codes.Answers, sides: clinic, thread: true, needsText: true},
}

// readInFull tells whether the process is one that the profile knows.
func readInFull(process string) bool {
	_, ok := profile[process]
	return ok
}

// dialogueProcess tells whether the process is about a patient's dialogue: all
// in the profile but the communication test, which needs no patient.
func dialogueProcess(process string) bool { return readInFull(process) && process != codes.Test }
