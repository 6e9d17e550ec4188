package validation_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/jayproxy/jay/validation"
)

const (
	hour   = time.Hour
	minute = time.Minute
)

// stored is a typical stored response: modified an hour ago, generated five minutes ago.
var stored = []string{`ETag: "v1"`, "Last-Modified: " + date(-hour), "Date: " + date(-5*minute)}

type checkCase struct {
	name   string
	stored []string
	req    []string
	want   validation.Outcome
}

func runCheck(t *testing.T, tests []checkCase) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				if got := validation.Check(method, fields(tt.req...), 200, of(tt.stored...), now); got != tt.want {
					t.Errorf("Check(%s, %q) = %v; want %v", method, tt.req, got, tt.want)
				}
			}
		})
	}
}

func TestCheckIfNoneMatch_RFC9110_13_1_2(t *testing.T) {
	weak := []string{`ETag: W/"v1"`}
	runCheck(t, []checkCase{
		{"unconditional", stored, nil, validation.Proceed},
		{"match", stored, []string{`If-None-Match: "v1"`}, validation.NotModified},
		{"mismatch", stored, []string{`If-None-Match: "v2"`}, validation.Proceed},
		{"weak-condition", stored, []string{`If-None-Match: W/"v1"`}, validation.NotModified},
		{"weak-stored", weak, []string{`If-None-Match: "v1"`}, validation.NotModified},
		{"weak-both", weak, []string{`If-None-Match: W/"v1"`}, validation.NotModified},
		{"first-of-several", stored, []string{`If-None-Match: "v1", "x", "y"`}, validation.NotModified},
		{"middle-of-several", stored, []string{`If-None-Match: "x", "v1", "y"`}, validation.NotModified},
		{"last-of-several", stored, []string{`If-None-Match: "x","y" ,"v1"`}, validation.NotModified},
		{"none-of-several", stored, []string{`If-None-Match: "x", "y"`}, validation.Proceed},
		{"second-line", stored, []string{`If-None-Match: "x"`, `If-None-Match: "v1"`}, validation.NotModified},
		{"star", stored, []string{`If-None-Match: *`}, validation.NotModified},
		{"star-without-etag", []string{"Date: " + date(0)}, []string{`If-None-Match: *`}, validation.NotModified},
		{"star-in-list", stored, []string{`If-None-Match: "x", *`}, validation.Proceed},
		{"star-quoted", stored, []string{`If-None-Match: "*"`}, validation.Proceed},
		{"two-stars", stored, []string{`If-None-Match: *`, `If-None-Match: *`}, validation.Proceed},
		{"empty", stored, []string{`If-None-Match:`}, validation.Proceed},
		{"no-etag-stored", []string{"Last-Modified: " + date(-hour)}, []string{`If-None-Match: "v1"`}, validation.Proceed},
		{"comma-inside", []string{`ETag: "a,b"`}, []string{`If-None-Match: "a,b"`}, validation.NotModified},
		{"part-of-comma-inside", []string{`ETag: "a"`}, []string{`If-None-Match: "x,"a",y"`}, validation.Proceed},
		{"case", stored, []string{`If-None-Match: "V1"`}, validation.Proceed},
		{"prefix", stored, []string{`If-None-Match: "v"`}, validation.Proceed},
		{"unquoted", stored, []string{`If-None-Match: v1`}, validation.Proceed},
		{"unquoted-both", []string{`ETag: v1`}, []string{`If-None-Match: v1`}, validation.NotModified},
		{"unquoted-stored", []string{`ETag: v1`}, []string{`If-None-Match: "v1"`}, validation.Proceed},
		{"lower-case-w-both", []string{`ETag: w/"v1"`}, []string{`If-None-Match: w/"v1"`}, validation.NotModified},
		{"obs-text", []string{"ETag: \"v\xfc\""}, []string{"If-None-Match: \"v\xfc\""}, validation.NotModified},
		{"gzip-suffix", stored, []string{`If-None-Match: "v1-gzip"`}, validation.Proceed},
		{"ambiguous-stored", []string{`ETag: "v1"`, `ETag: "v2"`}, []string{`If-None-Match: "v1"`}, validation.Proceed},
	})
}

func TestCheckIfModifiedSince_RFC9110_13_1_3(t *testing.T) {
	undated := []string{"Date: " + date(-5*minute)}
	runCheck(t, []checkCase{
		{"equal", stored, []string{"If-Modified-Since: " + date(-hour)}, validation.NotModified},
		{"later", stored, []string{"If-Modified-Since: " + date(-hour+time.Second)}, validation.NotModified},
		{"earlier", stored, []string{"If-Modified-Since: " + date(-hour-time.Second)}, validation.Proceed},
		{"future", stored, []string{"If-Modified-Since: " + date(24*hour)}, validation.NotModified},
		{"rfc850", stored, []string{"If-Modified-Since: " + now.Add(-hour).Format("Monday, 02-Jan-06 15:04:05 ") + "GMT"}, validation.NotModified},
		{"asctime", stored, []string{"If-Modified-Since: " + now.Add(-hour).Format(time.ANSIC)}, validation.NotModified},
		{"invalid", stored, []string{"If-Modified-Since: soon"}, validation.Proceed},
		{"number", stored, []string{"If-Modified-Since: 0"}, validation.Proceed},
		{"other-zone", stored, []string{"If-Modified-Since: " + now.Format("Mon, 02 Jan 2006 15:04:05 ") + "CET"}, validation.Proceed},
		{"empty", stored, []string{"If-Modified-Since:"}, validation.Proceed},
		{"length-suffix", stored, []string{"If-Modified-Since: " + date(-hour) + "; length=10"}, validation.Proceed},
		{"twice", stored, []string{"If-Modified-Since: " + date(-hour), "If-Modified-Since: " + date(-hour)}, validation.Proceed},
		// RFC 9111 §4.3.2: the Date stands in for a Last-Modified that is missing.
		{"no-lm-after-date", undated, []string{"If-Modified-Since: " + date(-minute)}, validation.NotModified},
		{"no-lm-at-date", undated, []string{"If-Modified-Since: " + date(-5*minute)}, validation.NotModified},
		{"no-lm-before-date", undated, []string{"If-Modified-Since: " + date(-6*minute)}, validation.Proceed},
		{"lm-invalid", append([]string{"Last-Modified: 0"}, undated...), []string{"If-Modified-Since: " + date(-minute)}, validation.NotModified},
		{"no-date-uses-receipt", nil, []string{"If-Modified-Since: " + date(0)}, validation.NotModified},
		{"no-date-before-receipt", nil, []string{"If-Modified-Since: " + date(-time.Second)}, validation.Proceed},
	})
}

func TestCheckIfMatch_RFC9110_13_1_1(t *testing.T) {
	runCheck(t, []checkCase{
		{"match", stored, []string{`If-Match: "v1"`}, validation.Proceed},
		{"one-of-several", stored, []string{`If-Match: "x", "v1"`}, validation.Proceed},
		{"second-line", stored, []string{`If-Match: "x"`, `If-Match: "v1"`}, validation.Proceed},
		{"mismatch", stored, []string{`If-Match: "v2"`}, validation.PreconditionFailed},
		{"weak-condition", stored, []string{`If-Match: W/"v1"`}, validation.PreconditionFailed},
		{"weak-stored", []string{`ETag: W/"v1"`}, []string{`If-Match: W/"v1"`}, validation.PreconditionFailed},
		{"unquoted", []string{`ETag: v1`}, []string{`If-Match: v1`}, validation.PreconditionFailed},
		{"star", stored, []string{`If-Match: *`}, validation.Proceed},
		{"empty", stored, []string{`If-Match:`}, validation.PreconditionFailed},
		{"no-etag-stored", nil, []string{`If-Match: "v1"`}, validation.PreconditionFailed},
	})
}

func TestCheckIfUnmodifiedSince_RFC9110_13_1_4(t *testing.T) {
	runCheck(t, []checkCase{
		{"equal", stored, []string{"If-Unmodified-Since: " + date(-hour)}, validation.Proceed},
		{"later", stored, []string{"If-Unmodified-Since: " + date(0)}, validation.Proceed},
		{"earlier", stored, []string{"If-Unmodified-Since: " + date(-2*hour)}, validation.PreconditionFailed},
		{"invalid", stored, []string{"If-Unmodified-Since: soon"}, validation.Proceed},
		{"twice", stored, []string{"If-Unmodified-Since: " + date(-2*hour), "If-Unmodified-Since: " + date(-2*hour)}, validation.Proceed},
		{"no-lm-stored", []string{"Date: " + date(0)}, []string{"If-Unmodified-Since: " + date(-2*hour)}, validation.Proceed},
	})
}

func TestCheckPrecedence_RFC9110_13_2_2(t *testing.T) {
	early, late := date(-2*hour), date(0)
	runCheck(t, []checkCase{
		{"inm-match-over-ims", stored, []string{`If-None-Match: "v1"`, "If-Modified-Since: " + early}, validation.NotModified},
		{"inm-mismatch-over-ims", stored, []string{`If-None-Match: "v2"`, "If-Modified-Since: " + late}, validation.Proceed},
		{"inm-without-etag-over-ims", []string{"Last-Modified: " + date(-hour)}, []string{`If-None-Match: "v2"`, "If-Modified-Since: " + late}, validation.Proceed},
		{"im-match-over-ius", stored, []string{`If-Match: "v1"`, "If-Unmodified-Since: " + early}, validation.Proceed},
		{"im-mismatch-over-ius", stored, []string{`If-Match: "v2"`, "If-Unmodified-Since: " + late}, validation.PreconditionFailed},
		{"im-fails-before-inm", stored, []string{`If-Match: "v2"`, `If-None-Match: "v1"`}, validation.PreconditionFailed},
		{"im-holds-then-inm", stored, []string{`If-Match: "v1"`, `If-None-Match: "v1"`}, validation.NotModified},
		{"ius-fails-before-ims", stored, []string{"If-Unmodified-Since: " + early, "If-Modified-Since: " + late}, validation.PreconditionFailed},
		{"ius-holds-then-ims", stored, []string{"If-Unmodified-Since: " + late, "If-Modified-Since: " + late}, validation.NotModified},
		{"ius-holds-then-inm", stored, []string{"If-Unmodified-Since: " + late, `If-None-Match: "v2"`}, validation.Proceed},
		{"if-range-is-no-precondition", stored, []string{`If-Range: "v2"`, "Range: bytes=0-1"}, validation.Proceed},
	})
}

// Preconditions are ignored for other methods, and where the answer would be no success anyway.
func TestCheckApplies_RFC9110_13_2_1(t *testing.T) {
	v := of(stored...)
	for _, cond := range []string{`If-None-Match: "v1"`, "If-Modified-Since: " + date(0), `If-Match: "v2"`, "If-Unmodified-Since: " + date(-2*hour)} {
		req := fields(cond)
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "get", ""} {
			if got := validation.Check(method, req, 200, v, now); got != validation.Proceed {
				t.Errorf("Check(%q, %s) = %v; want proceed", method, cond, got)
			}
		}
		for _, status := range []int{0, 101, 199, 300, 301, 304, 404, 410, 412, 500, 999} {
			if got := validation.Check("GET", req, status, v, now); got != validation.Proceed {
				t.Errorf("Check(GET, %s) on a %d = %v; want proceed", cond, status, got)
			}
		}
		for _, status := range []int{200, 203, 204, 206, 299} {
			if got := validation.Check("GET", req, status, v, now); got == validation.Proceed {
				t.Errorf("Check(GET, %s) on a %d = %v; want otherwise", cond, status, got)
			}
		}
	}
}

func TestIfRange_RFC9110_13_1_5(t *testing.T) {
	tests := []struct {
		name    string
		stored  []string
		ifRange []string
		want    bool
	}{
		{"absent", stored, nil, true},
		{"same-tag", stored, []string{`"v1"`}, true},
		{"other-tag", stored, []string{`"v2"`}, false},
		{"weak-condition", stored, []string{`W/"v1"`}, false},
		{"weak-stored", []string{`ETag: W/"v1"`}, []string{`W/"v1"`}, false},
		{"unquoted", []string{`ETag: v1`}, []string{`v1`}, false},
		{"list", stored, []string{`"v1", "v2"`}, false},
		{"star", stored, []string{`*`}, false},
		{"no-tag-stored", []string{"Last-Modified: " + date(-hour)}, []string{`"v1"`}, false},
		{"same-date", stored, []string{date(-hour)}, true},
		{"same-date-other-form", stored, []string{now.Add(-hour).Format(time.ANSIC)}, true},
		{"later-date", stored, []string{date(-hour + time.Second)}, false},
		{"earlier-date", stored, []string{date(-hour - time.Second)}, false},
		{"weak-date", []string{"Last-Modified: " + date(-time.Second), "Date: " + date(0)}, []string{date(-time.Second)}, false},
		{"undated", []string{"Last-Modified: " + date(-hour)}, []string{date(-hour)}, false},
		{"no-date-stored", []string{`ETag: "v1"`}, []string{date(-hour)}, false},
		{"junk", stored, []string{"junk"}, false},
		{"empty", stored, []string{""}, false},
		{"twice", stored, []string{`"v1"`, `"v1"`}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := http.Header{"Range": {"bytes=0-1"}}
			if tt.ifRange != nil {
				req["If-Range"] = tt.ifRange
			}
			if got := validation.IfRange(req, of(tt.stored...), now); got != tt.want {
				t.Errorf("IfRange(%q) = %v; want %v", tt.ifRange, got, tt.want)
			}
		})
	}
}

func TestOmitFrom304_RFC9110_15_4_5(t *testing.T) {
	for _, name := range []string{"Cache-Control", "Content-Location", "Date", "ETag", "Expires", "Vary", "Last-Modified", "X-Anything", "Set-Cookie"} {
		if validation.OmitFrom304(name) {
			t.Errorf("%s is omitted; want it kept", name)
		}
	}
	for _, name := range []string{"Content-Length", "content-type", "CONTENT-ENCODING", "Content-Language", "Content-Range", "Transfer-Encoding"} {
		if !validation.OmitFrom304(name) {
			t.Errorf("%s is kept; want it omitted", name)
		}
	}
}

func TestOutcomeString(t *testing.T) {
	for o, want := range map[validation.Outcome]string{
		validation.Proceed: "proceed", validation.NotModified: "not-modified", validation.PreconditionFailed: "precondition-failed",
	} {
		if got := o.String(); got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
}

// Splitting a list over lines changes no decision, and a 304 is never given where no validator and no date speak for it.
func FuzzCheck(f *testing.F) {
	f.Add(`"v1"`, `"v2"`, `"v1"`, date(-hour), date(0))
	f.Add(`*`, ``, ``, ``, ``)
	f.Add(`"v1", "v2"`, `W/"v1"`, `W/"v1"`, `0`, date(0))
	f.Fuzz(func(t *testing.T, tagA, tagB, etag, lm, ims string) {
		h := http.Header{"Etag": {etag}, "Last-Modified": {lm}}
		v := validation.Of(h, now)
		two := http.Header{"If-None-Match": {tagA, tagB}, "If-Modified-Since": {ims}}
		one := http.Header{"If-None-Match": {tagA + ", " + tagB}, "If-Modified-Since": {ims}}
		got := validation.Check("GET", two, 200, v, now)
		// An unbalanced quote in the first line runs on into the second when they are joined.
		if joined := validation.Check("GET", one, 200, v, now); joined != got && balanced(tagA) && balanced(tagB) {
			t.Errorf("%q, %q against %q: %v on two lines, %v on one", tagA, tagB, etag, got, joined)
		}
		if got == validation.NotModified && !v.ETag.Present() {
			t.Errorf("%q, %q matched no tag at all", tagA, tagB)
		}
		if validation.Check("GET", http.Header{"If-Modified-Since": {ims}}, 200, v, now) == validation.NotModified {
			if at, ok := validation.ParseDate(trim(ims), now); !ok || (!v.LastModified.IsZero() && v.LastModified.After(at)) {
				t.Errorf("If-Modified-Since %q made a 304 of %q", ims, lm)
			}
		}
	})
}
