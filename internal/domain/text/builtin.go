package text

import "github.com/helsebro/helsebro/internal/domain/notice"

// Builtin is the text that comes with the product; false when there is none for the
// key.
func Builtin(k Key) (Template, bool) {
	t, ok := builtin[k]
	return t, ok
}

// builtin texts say that there is an appointment, when, and at which clinic; e-mail
// also where, since it is not read on a locked screen and has room. No SMS names a
// place: for a patient with a protected address it must not (D14), and one text for
// all tells nobody who is one. An SMS in Norwegian or English fits one segment with a
// clinic's name of 30 characters; Northern Sami letters are outside GSM 03.38, so its
// texts are shorter and may take two.
//
// A change may be of the place alone, so no text says that the time is new.
//
// Change a text and its Version together: the ledger says which version was sent.
var builtin = func() map[Key]Template {
	all := make(map[Key]Template)
	for language, l := range languages {
		for purpose, p := range l.purposes {
			add := func(c notice.Channel, subject, body string) {
				all[Key{purpose, c, language}] = Template{Version: 1, Language: language, Subject: subject, Body: body}
			}
			add(notice.SMS, "", p.sms)
			add(notice.Push, p.title, p.push)
			end := l.place + l.help
			if purpose == notice.Cancellation {
				end = l.helpCancelled // nowhere to come to, and nothing left to move
			}
			add(notice.Email, p.title+": {{date}} {{time}}", p.email+end+l.footer)
		}
	}
	return all
}()

// words are the texts of one language.
type words struct {
	purposes map[notice.Purpose]wording
	// What ends an e-mail: where to come, whom to ask, and that there is no answering.
	place, help, helpCancelled, footer string
}

// wording is one purpose in one language.
type wording struct{ title, sms, push, email string }

var languages = map[string]words{
	"nb": {
		place:         "\nOppmøtested: {{place}}",
		help:          "\n\nPasser ikke timen, eller lurer du på noe? Ring {{clinic}} på {{phone}}.",
		helpCancelled: "\n\nHar du spørsmål? Ring {{clinic}} på {{phone}}.",
		footer:        "\nDenne meldingen kan ikke besvares.\n",
		purposes: map[notice.Purpose]wording{
			notice.Confirmation: {
				title: "Timen din er bekreftet",
				sms:   "Du har time hos {{clinic}} {{date}} kl. {{time}}. Passer det ikke, ring {{phone}}.",
				push:  "Du har time hos {{clinic}} {{date}} kl. {{time}}.",
				email: "Hei!\n\nDu har time hos {{clinic}} {{date}} kl. {{time}}.",
			},
			notice.Change: {
				title: "Timen din er endret",
				sms:   "Timen din hos {{clinic}} er endret. Nå gjelder {{date}} kl. {{time}}. Passer det ikke, ring {{phone}}.",
				push:  "Timen din hos {{clinic}} er endret. Nå gjelder {{date}} kl. {{time}}.",
				email: "Hei!\n\nTimen din hos {{clinic}} er endret. Nå gjelder {{date}} kl. {{time}}.",
			},
			notice.Cancellation: {
				title: "Timen din er avlyst",
				sms:   "Timen din hos {{clinic}} {{date}} kl. {{time}} er avlyst. Spørsmål? Ring {{phone}}.",
				push:  "Timen din hos {{clinic}} {{date}} kl. {{time}} er avlyst.",
				email: "Hei!\n\nTimen din hos {{clinic}} {{date}} kl. {{time}} er avlyst.",
			},
			notice.Reminder: {
				title: "Husk timen din",
				sms:   "Husk timen din hos {{clinic}} {{date}} kl. {{time}}. Passer det ikke, ring {{phone}}.",
				push:  "Husk timen din hos {{clinic}} {{date}} kl. {{time}}.",
				email: "Hei!\n\nVi minner om timen din hos {{clinic}} {{date}} kl. {{time}}.",
			},
		},
	},
	"nn": {
		place:         "\nOppmøtestad: {{place}}",
		help:          "\n\nPassar ikkje timen, eller lurer du på noko? Ring {{clinic}} på {{phone}}.",
		helpCancelled: "\n\nHar du spørsmål? Ring {{clinic}} på {{phone}}.",
		footer:        "\nDu kan ikkje svare på denne meldinga.\n",
		purposes: map[notice.Purpose]wording{
			notice.Confirmation: {
				title: "Timen din er stadfesta",
				sms:   "Du har time hos {{clinic}} {{date}} kl. {{time}}. Passar det ikkje, ring {{phone}}.",
				push:  "Du har time hos {{clinic}} {{date}} kl. {{time}}.",
				email: "Hei!\n\nDu har time hos {{clinic}} {{date}} kl. {{time}}.",
			},
			notice.Change: {
				title: "Timen din er endra",
				sms:   "Timen din hos {{clinic}} er endra. No gjeld {{date}} kl. {{time}}. Passar det ikkje, ring {{phone}}.",
				push:  "Timen din hos {{clinic}} er endra. No gjeld {{date}} kl. {{time}}.",
				email: "Hei!\n\nTimen din hos {{clinic}} er endra. No gjeld {{date}} kl. {{time}}.",
			},
			notice.Cancellation: {
				title: "Timen din er avlyst",
				sms:   "Timen din hos {{clinic}} {{date}} kl. {{time}} er avlyst. Spørsmål? Ring {{phone}}.",
				push:  "Timen din hos {{clinic}} {{date}} kl. {{time}} er avlyst.",
				email: "Hei!\n\nTimen din hos {{clinic}} {{date}} kl. {{time}} er avlyst.",
			},
			notice.Reminder: {
				title: "Hugs timen din",
				sms:   "Hugs timen din hos {{clinic}} {{date}} kl. {{time}}. Passar det ikkje, ring {{phone}}.",
				push:  "Hugs timen din hos {{clinic}} {{date}} kl. {{time}}.",
				email: "Hei!\n\nVi minner om timen din hos {{clinic}} {{date}} kl. {{time}}.",
			},
		},
	},
	"en": {
		place:         "\nWhere to come: {{place}}",
		help:          "\n\nDoes the time not suit you, or do you have a question? Call {{clinic}} on {{phone}}.",
		helpCancelled: "\n\nDo you have a question? Call {{clinic}} on {{phone}}.",
		footer:        "\nYou cannot reply to this message.\n",
		purposes: map[notice.Purpose]wording{
			notice.Confirmation: {
				title: "Your appointment is confirmed",
				sms:   "You have an appointment with {{clinic}} on {{date}} at {{time}}. To change it, call {{phone}}.",
				push:  "You have an appointment with {{clinic}} on {{date}} at {{time}}.",
				email: "Hello,\n\nYou have an appointment with {{clinic}} on {{date}} at {{time}}.",
			},
			notice.Change: {
				title: "Your appointment has changed",
				sms:   "Your appointment with {{clinic}} has changed. It is now {{date}} at {{time}}. Call {{phone}}.",
				push:  "Your appointment with {{clinic}} has changed. It is now {{date}} at {{time}}.",
				email: "Hello,\n\nYour appointment with {{clinic}} has changed. It is now on {{date}} at {{time}}.",
			},
			notice.Cancellation: {
				title: "Your appointment is cancelled",
				sms:   "Your appointment with {{clinic}} on {{date}} at {{time}} is cancelled. Call {{phone}}.",
				push:  "Your appointment with {{clinic}} on {{date}} at {{time}} is cancelled.",
				email: "Hello,\n\nYour appointment with {{clinic}} on {{date}} at {{time}} is cancelled.",
			},
			notice.Reminder: {
				title: "Remember your appointment",
				sms:   "Remember your appointment with {{clinic}} on {{date}} at {{time}}. To change it, call {{phone}}.",
				push:  "Remember your appointment with {{clinic}} on {{date}} at {{time}}.",
				email: "Hello,\n\nThis is a reminder of your appointment with {{clinic}} on {{date}} at {{time}}.",
			},
		},
	},
	// Northern Sami. The sentences are short and put the clinic's name last, where it
	// needs no case ending.
	"se": {
		place:         "\nBáiki: {{place}}",
		help:          "\n\nIi go áigi heive, dahje leat go dus gažaldagat? Riŋge: {{phone}}.",
		helpCancelled: "\n\nLeat go dus gažaldagat? Riŋge: {{phone}}.",
		footer:        "\nIt sáhte vástidit dán dieđu.\n",
		purposes: map[notice.Purpose]wording{
			notice.Confirmation: {
				title: "Du diibmu lea nannejuvvon",
				sms:   "Du diibmu lea nannejuvvon: {{date}} dii. {{time}}. {{clinic}}, {{phone}}",
				push:  "Du diibmu: {{date}} dii. {{time}}. {{clinic}}",
				email: "Bures!\n\nDu diibmu lea nannejuvvon: {{date}} dii. {{time}}. {{clinic}}",
			},
			notice.Change: {
				title: "Du diibmu lea rievdaduvvon",
				sms:   "Du diibmu lea rievdaduvvon. Dál: {{date}} dii. {{time}}. {{clinic}}, {{phone}}",
				push:  "Du diibmu lea rievdaduvvon. Dál: {{date}} dii. {{time}}. {{clinic}}",
				email: "Bures!\n\nDu diibmu lea rievdaduvvon. Dál: {{date}} dii. {{time}}. {{clinic}}",
			},
			notice.Cancellation: {
				title: "Du diibmu lea šluhttejuvvon",
				sms:   "Du diibmu {{date}} dii. {{time}} lea šluhttejuvvon. {{clinic}}, {{phone}}",
				push:  "Du diibmu {{date}} dii. {{time}} lea šluhttejuvvon. {{clinic}}",
				email: "Bures!\n\nDu diibmu {{date}} dii. {{time}} lea šluhttejuvvon. {{clinic}}",
			},
			notice.Reminder: {
				title: "Muitte du diimmu",
				sms:   "Muitte du diimmu: {{date}} dii. {{time}}. {{clinic}}, {{phone}}",
				push:  "Muitte du diimmu: {{date}} dii. {{time}}. {{clinic}}",
				email: "Bures!\n\nMuitte du diimmu: {{date}} dii. {{time}}. {{clinic}}",
			},
		},
	},
}
