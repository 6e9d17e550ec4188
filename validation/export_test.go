package validation

// Internals under test.
var (
	ParseDate  = parseDate
	RemoveDots = removeDots
)

// StrongAfter is the margin of strong modification dates.
const StrongAfter = strongAfter
