package validation_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"strconv"
	"strings"
	"testing"

	"github.com/jayproxy/jay/validation"
)

// assemble writes a whole multipart body.
func assemble(m *validation.Multipart, representation string) []byte {
	var body []byte
	for i, s := range m.Spans {
		body = m.AppendHead(body, i)
		body = append(body, representation[s.Start:s.End]...)
	}
	return m.AppendEnd(body)
}

func TestMultipart_RFC9110_14_6(t *testing.T) {
	representation := strings.Repeat("0123456789", 100)
	tests := []struct {
		name string
		m    validation.Multipart
	}{
		{"two", validation.Multipart{Boundary: "THIS_STRING_SEPARATES", ContentType: "application/pdf", Length: 1000, Spans: []validation.Span{{500, 1000}, {0, 3}}}},
		{"no-type", validation.Multipart{Boundary: "b", Length: 1000, Spans: []validation.Span{{0, 1}, {999, 1000}}}},
		{"unknown-length", validation.Multipart{Boundary: "b", ContentType: "text/plain; charset=\"utf-8\"", Length: -1, Spans: []validation.Span{{0, 1}, {9, 10}}}},
		{"one", validation.Multipart{Boundary: "b", ContentType: "text/plain", Length: 1000, Spans: []validation.Span{{10, 20}}}},
		{"long-boundary", validation.Multipart{Boundary: strings.Repeat("x", 70), ContentType: strings.Repeat("y", 600), Length: 1000, Spans: []validation.Span{{10, 20}, {30, 40}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := assemble(&tt.m, representation)
			if got := tt.m.Size(); got != int64(len(body)) {
				t.Errorf("Size() = %d; want %d", got, len(body))
			}
			checkParts(t, &tt.m, body, representation)
		})
	}
}

// checkParts reads a body as any other implementation would.
func checkParts(t *testing.T, m *validation.Multipart, body []byte, representation string) {
	t.Helper()
	media, params, err := mime.ParseMediaType(m.FieldValue())
	if err != nil || media != "multipart/byteranges" {
		t.Fatalf("ParseMediaType(%q) = %q, %v", m.FieldValue(), media, err)
	}
	r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for i, span := range m.Spans {
		part, err := r.NextRawPart()
		if err != nil {
			t.Fatalf("part %d: %v", i, err)
		}
		if got := part.Header.Get("Content-Type"); got != m.ContentType {
			t.Errorf("part %d: Content-Type %q; want %q", i, got, m.ContentType)
		}
		want := validation.ContentRange{Span: span, Length: m.Length}.String()
		if got := part.Header.Get("Content-Range"); got != want {
			t.Errorf("part %d: Content-Range %q; want %q", i, got, want)
		}
		if got, err := io.ReadAll(part); err != nil || string(got) != representation[span.Start:span.End] {
			t.Errorf("part %d: %q, %v; want bytes %v", i, got, err, span)
		}
	}
	if _, err := r.NextRawPart(); err != io.EOF {
		t.Errorf("behind the last part: %v; want EOF", err)
	}
}

func TestMultipartSizeOfHugeSpans(t *testing.T) {
	const length = 1 << 40
	m := validation.Multipart{Boundary: "b", Length: length, Spans: []validation.Span{{0, 1 << 39}, {1<<39 + 1, length}}}
	overhead := int64(len(m.AppendEnd(m.AppendHead(m.AppendHead(nil, 0), 1))))
	if got, want := m.Size(), int64(length-1)+overhead; got != want {
		t.Errorf("Size() = %d; want %d", got, want)
	}
}

func TestMultipartRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 5000)
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	for range 50 {
		m := validation.Multipart{Boundary: "jay" + strconv.FormatUint(rng.Uint64(), 36), ContentType: "application/octet-stream", Length: int64(len(data))}
		for at := int64(0); at < 4000 && len(m.Spans) < 8; {
			start := at + rng.Int64N(500) + 1
			end := start + rng.Int64N(500) + 1
			m.Spans = append(m.Spans, validation.Span{Start: start, End: min(end, 5000)})
			at = end
		}
		body := assemble(&m, string(data))
		if m.Size() != int64(len(body)) {
			t.Fatalf("Size() = %d; want %d", m.Size(), len(body))
		}
		checkParts(t, &m, body, string(data))
	}
}
