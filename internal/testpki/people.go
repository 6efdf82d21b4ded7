package testpki

// The people and organisations of the tests. The numbers have right check digits
// and belong to nobody: no birth date is 00.00.00.
const (
	AliceSSIN  = "00000000097" // doctor
	AliceNIHII = "19999024004" // NIHII11
	BobSSIN    = "00000000196" // physiotherapist
	BobNIHII   = "59999151527" // NIHII11
	CarolSSIN  = "00000000227" // born after 2000
	DaveSSIN   = "00000000394" // his certificates are revoked
	ErinSSIN   = "00000000592" // her certificates have expired
	FrankSSIN  = "00400000779" // a bis number: Foreigner CA

	HospitalNIHII   = "71999041"
	OrganisationCBE = "0999999130"
	ApplicationID   = "TESTAPP"
	ServiceCBE      = "0809394427" // of the STS
	ServiceID       = "SCEAU"
)
