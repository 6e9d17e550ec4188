package validation

// Multipart is a multipart/byteranges body (RFC 9110 §14.6).
type Multipart struct {
	// Boundary separates the parts; it must not occur in the representation.
	Boundary string
	// ContentType is that of the representation, "" if it has none.
	ContentType string
	// Length is the complete length of the representation.
	Length int64
	// Spans are the parts in order.
	Spans []Span
}

// FieldValue is the value of the response's Content-Type.
func (m *Multipart) FieldValue() string { panic("unfinished") }

// AppendHead appends what goes before the bytes of part i.
func (m *Multipart) AppendHead(dst []byte, i int) []byte { panic("unfinished") }

// AppendEnd appends what goes after the last part.
func (m *Multipart) AppendEnd(dst []byte) []byte { panic("unfinished") }

// Size is the exact length of the whole body, in bytes.
func (m *Multipart) Size() int64 { panic("unfinished") }
