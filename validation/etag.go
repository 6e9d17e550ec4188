package validation

// ETag is an entity tag (RFC 9110 §8.8.3). The zero value is "no entity tag" and equals nothing.
type ETag struct {
	text  string
	class tagClass
}

type tagClass uint8

// ParseETag reads one ETag field value.
func ParseETag(value string) ETag { panic("unfinished") }

// ParseETags reads the lines of an If-Match or If-None-Match field.
func ParseETags(lines []string) []ETag { panic("unfinished") }

// Present reports whether there is a tag at all.
func (e ETag) Present() bool { panic("unfinished") }

// Strong reports whether the tag is a well-formed strong entity tag.
func (e ETag) Strong() bool { panic("unfinished") }

// String returns the tag as it was received.
func (e ETag) String() string { return e.text }

// StrongEqual is the strong comparison of RFC 9110 §8.8.3.2.
func (e ETag) StrongEqual(o ETag) bool { panic("unfinished") }

// WeakEqual is the weak comparison of RFC 9110 §8.8.3.2.
func (e ETag) WeakEqual(o ETag) bool { panic("unfinished") }
