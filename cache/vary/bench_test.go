package vary_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/jayproxy/jay/cache/vary"
)

var browser = request{
	"Host: example.com",
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
	"Accept-Encoding: gzip, deflate, br, zstd",
	"Accept-Language: de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7",
	"Cookie: a=b; c=d",
}

// TestKeyAllocations: comparing keys on the path of a hit allocates nothing.
func TestKeyAllocations(t *testing.T) {
	names, _ := vary.Names([]string{"Accept-Encoding, Accept-Language, Accept, Cookie, X-Absent"})
	h := browser.header()
	buf := make([]byte, 0, 4096)
	var source vary.Source = lineSource{"Accept-Encoding", "gzip, deflate, br"}
	for name, f := range map[string]func(){
		"AppendKey":       func() { vary.AppendKey(buf, names, source) },
		"AppendHeaderKey": func() { vary.AppendHeaderKey(buf, names, h) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times; want 0", name, n)
		}
	}
}

// lineSource is a request with one field.
type lineSource struct{ name, value string }

func (s lineSource) Len() int { return 1 }

func (s lineSource) At(int) (name, value string) { return s.name, s.value }

func BenchmarkAppendKey(b *testing.B) {
	h := browser.header()
	buf := make([]byte, 0, 4096)
	for _, field := range []string{"Accept-Encoding", "Accept-Language", "Accept", "Cookie", "X-Absent", "Accept-Encoding, Cookie"} {
		names, _ := vary.Names([]string{field})
		b.Run(field, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				vary.AppendHeaderKey(buf, names, h)
			}
		})
	}
}

func BenchmarkKey(b *testing.B) {
	h := browser.header()
	b.ReportAllocs()
	for b.Loop() {
		vary.Key([]string{"Accept-Encoding"}, h)
	}
}

func BenchmarkPrefers(b *testing.B) {
	stored, _ := vary.Key([]string{"Accept-Language"}, http.Header{"Accept-Language": {"en"}})
	presented, _ := vary.Key([]string{"Accept-Language"}, browser.header())
	response := http.Header{"Content-Language": {"de-DE"}}
	b.ReportAllocs()
	for b.Loop() {
		vary.Prefers(stored, presented, response)
	}
}

func ExampleKey() {
	a, _ := vary.Key([]string{"Accept-Language"}, http.Header{"Accept-Language": {"en;q=0.80, DE"}})
	b, _ := vary.Key([]string{"accept-language"}, http.Header{"Accept-Language": {"de", "en;q=0.8"}})
	fmt.Println(a == b)
	// Output: true
}
