package validation

// Multipart is the content of a 206 response with several parts, multipart/byteranges (RFC 9110 §14.6, §15.3.7.2). It writes what
// goes around the bytes of the representation; the caller writes those.
type Multipart struct {
	// Boundary separates the parts: 1 to 70 letters and digits that do not occur in the representation. A long random one does
	// not.
	Boundary string
	// ContentType is the Content-Type of the representation, "" if it has none.
	ContentType string
	// Length is the complete length of the representation in bytes, -1 if unknown.
	Length int64
	// Spans are the parts in the order in which they are sent.
	Spans []Span
}

// FieldValue returns the Content-Type of the response.
func (m *Multipart) FieldValue() string {
	return "multipart/byteranges; boundary=" + m.Boundary
}

// AppendHead appends what goes between the bytes of part i-1, if any, and those of part i.
func (m *Multipart) AppendHead(dst []byte, i int) []byte {
	if i > 0 {
		dst = append(dst, "\r\n"...)
	}
	dst = append(append(dst, "--"...), m.Boundary...)
	if m.ContentType != "" {
		dst = append(append(dst, "\r\nContent-Type: "...), m.ContentType...)
	}
	dst = append(dst, "\r\nContent-Range: "...)
	dst = ContentRange{m.Spans[i], m.Length}.Append(dst)
	return append(dst, "\r\n\r\n"...)
}

// AppendEnd appends what goes behind the bytes of the last part.
func (m *Multipart) AppendEnd(dst []byte) []byte {
	dst = append(append(dst, "\r\n--"...), m.Boundary...)
	return append(dst, "--\r\n"...)
}

// Size returns the exact length of the content in bytes.
func (m *Multipart) Size() int64 {
	var buf [512]byte
	size := int64(len(m.AppendEnd(buf[:0])))
	for i, span := range m.Spans {
		size += int64(len(m.AppendHead(buf[:0], i))) + span.Len()
	}
	return size
}
