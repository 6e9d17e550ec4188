package validation_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/jayproxy/jay/validation"
)

// TestCheckAllocations holds the decisions on the path of a hit to their promise.
func TestCheckAllocations(t *testing.T) {
	v := of(stored...)
	req := fields(`If-None-Match: "x", W/"y", "v2"`, "If-Modified-Since: "+date(0), `If-Range: "v1"`, "Range: bytes=0-1")
	h := fields(stored...)
	for name, f := range map[string]func(){
		"Check":   func() { validation.Check("GET", req, 200, v, now) },
		"IfRange": func() { validation.IfRange(req, v, now) },
		"Of":      func() { validation.Of(h, now) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times; want 0", name, n)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	v := of(stored...)
	for name, req := range map[string]http.Header{
		"none":              fields("Accept: */*"),
		"if-none-match":     fields(`If-None-Match: "a", "b", "v1"`),
		"if-modified-since": fields("If-Modified-Since: " + date(0)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				validation.Check("GET", req, 200, v, now)
			}
		})
	}
}

func BenchmarkOf(b *testing.B) {
	h := fields(stored...)
	b.ReportAllocs()
	for b.Loop() {
		validation.Of(h, now)
	}
}

func BenchmarkRange(b *testing.B) {
	for _, value := range []string{"bytes=0-99", "bytes=-500", "bytes=0-0,10-19,30-39,-1"} {
		b.Run(value, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ranges, _ := validation.ParseRange(value, 0)
				validation.Resolve(ranges, 10000)
			}
		})
	}
}

func BenchmarkFreshenFields(b *testing.B) {
	for _, n := range []int{12, 256} {
		var old, update []validation.Field
		for i := range n {
			name := fmt.Sprintf("X-Field-%d", i)
			old = append(old, validation.Field{Name: name, Value: "old"})
			update = append(update, validation.Field{Name: name, Value: "new"})
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				validation.FreshenFields(old, update[:len(update)/2])
			}
		})
	}
}

func BenchmarkTargets(b *testing.B) {
	h := fields("Location: ../x", "Content-Location: http://example.com/y?z")
	b.ReportAllocs()
	for b.Loop() {
		validation.Targets(base, h)
	}
}
