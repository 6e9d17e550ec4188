package validation_test

import (
	"testing"
	"time"

	"github.com/jayproxy/jay/validation"
)

func TestOf_RFC9110_8_8(t *testing.T) {
	lm, dt := date(-time.Hour), date(0)
	tests := []struct {
		name   string
		lines  []string
		tag    string
		hasLM  bool
		date   time.Time
		strong bool
	}{
		{"both", []string{`ETag: "a"`, "Last-Modified: " + lm, "Date: " + dt}, `"a"`, true, now, true},
		{"none", []string{"Date: " + dt}, "", false, now, false},
		{"nothing", nil, "", false, now, false},
		{"etag-twice-equal", []string{`ETag: "a"`, `ETag: "a"`}, `"a"`, false, now, false},
		{"etag-twice-different", []string{`ETag: "a"`, `ETag: "b"`}, "", false, now, false},
		{"lm-twice-different", []string{"Last-Modified: " + lm, "Last-Modified: " + dt}, "", false, now, false},
		{"lm-invalid", []string{"Last-Modified: yesterday"}, "", false, now, false},
		{"date-missing", []string{"Last-Modified: " + lm}, "", true, now, false},
		{"date-invalid", []string{"Last-Modified: " + lm, "Date: now"}, "", true, now, false},
		{"date-other", []string{"Last-Modified: " + lm, "Date: " + date(-time.Minute)}, "", true, now.Add(-time.Minute), true},
		{"lm-just-now", []string{"Last-Modified: " + dt, "Date: " + dt}, "", true, now, false},
		{"lm-within-margin", []string{"Last-Modified: " + date(-validation.StrongAfter+time.Second), "Date: " + dt}, "", true, now, false},
		{"lm-at-margin", []string{"Last-Modified: " + date(-validation.StrongAfter), "Date: " + dt}, "", true, now, true},
		{"lm-in-future", []string{"Last-Modified: " + date(time.Hour), "Date: " + dt}, "", true, now, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := of(tt.lines...)
			if v.ETag.String() != tt.tag || v.LastModified.IsZero() == tt.hasLM {
				t.Errorf("got ETag %q, Last-Modified %v; want %q, %v", v.ETag, v.LastModified, tt.tag, tt.hasLM)
			}
			if !v.Date.Equal(tt.date) {
				t.Errorf("got Date %v; want %v", v.Date, tt.date)
			}
			if v.StrongDate() != tt.strong {
				t.Errorf("got StrongDate %v; want %v", v.StrongDate(), tt.strong)
			}
			if v.None() != (tt.tag == "" && !tt.hasLM) {
				t.Errorf("got None %v", v.None())
			}
		})
	}
}

func TestOfUnknownReceipt(t *testing.T) {
	v := validation.Of(fields(`ETag: "a"`), time.Time{})
	if !v.Date.IsZero() {
		t.Errorf("got Date %v; want none", v.Date)
	}
}
