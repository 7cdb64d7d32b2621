package helsenorge

// Practitioner is an entry of a Helsepersonell document: somebody at the clinic
// with an own calendar (HITS 1217 §3.11), or the one whom an appointment is with
// (§3.4.3). Read from 2014-03-28 and 2015-05-04, written as the latter.
type Practitioner struct {
	// Professional has RoleToPatient (9034) as any other.
	Professional HealthcareProfessional
	// Category is TypeHealthcareProfessional (9060), such as SP; it is empty when
	// absent.
	Category Code
	// Remark is Merknad, shown to the citizen: when the practitioner is there.
	Remark string
}
