package text

import (
	"slices"
	"strings"
	"unicode"
)

// Words that say or suggest what a patient is treated for, in Bokmål, Nynorsk and
// English; most of the stems are the same in Northern Sami. A text may reach a phone
// that somebody else reads (F20), so it is better to refuse one word too many. They
// are kept in three lists because a stem may hide in a harmless word: "bekreftet"
// (confirmed) has "kreft" (cancer) in it, "nautisk" has "autis", "Rustad" begins with
// "rus" (intoxication).
var (
	// anywhere in a word: "barnepsykiatri".
	anywhere = strings.Fields(`psyk psych abort gynekolog gynaecolog gynecolog onkolog oncolog urolog venerolog venerisk
		venereal sexolog seksu sexual kjønnssy klamydia chlamydia gonor syfilis syphilis herpes hepatitt hepatitis
		tuberkul tubercul demens dementia alzheimer selvmord sjølvmord sjølmord suicid depresj depress schizo bipolar
		epilep adhd rusmid rusomsorg rusteam ruspoli rusbehand rusavh ruskons alkohol alcohol narkoman
		metadon methadone misbruk addict avhengighet avhengigheit prevensjon contracept spiral fertil svangerskap
		pregnan jordmor jordmød midwife fødeavd barsel voldtekt overgrep incest mishandl spiseforst eteforst anoreks anorex
		bulimi inkontinen incontinen steriliser vasektomi mammogra celleprøve celleprøv kreftsen cellegift kjemoterapi
		chemother strålebeh palliat lindrende dialyse dialysis diabet parkinson hospice kjønnsink transseks`)
	// starting a word: "kreftavdelingen", "gravide".
	starting = strings.Fields(`autis kreft cancer gravid angst svulst tumor rusprob rusmis`)
	// whole words.
	whole = strings.Fields(`rus hiv aids ivf dps bup kols copd ptsd ocd overdose diagnose diagnosis anxiety rape abuse drugs
		mental`)
)

// Lint lists the words in a text that reveal health, in lower case and in the order
// in which they stand; none for a text that may be sent. Upper and lower case, and
// invisible characters inside a word, make no difference.
func Lint(s string) []string {
	shown := strings.Map(func(r rune) rune {
		if r == '\u00ad' || unicode.Is(unicode.Cf, r) { // a soft hyphen or zero-width character hides a word
			return -1
		}
		return unicode.ToLower(r)
	}, s)
	var found []string
	for _, word := range strings.FieldsFunc(shown, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if reveals(word) {
			found = append(found, word)
		}
	}
	return found
}

func reveals(word string) bool {
	return slices.Contains(whole, word) ||
		slices.ContainsFunc(starting, func(stem string) bool { return strings.HasPrefix(word, stem) }) ||
		slices.ContainsFunc(anywhere, func(stem string) bool { return strings.Contains(word, stem) })
}
