package vary_test

import (
	"fmt"
	"net/http"

	"github.com/jayproxy/jay/cache/vary"
)

// A cache keeps the names with a stored response, and compares keys in a buffer of its own.
func ExampleAppendKey() {
	names, star := vary.Names([]string{"Accept-Encoding, Accept-Language"})
	if star {
		return // never selected
	}
	storedFor := request{"Accept-Encoding: gzip, br", "Accept-Language: de, en;q=0.5"}
	storedKey, _ := vary.AppendKey(nil, names, storedFor)

	var buf [512]byte
	for _, presented := range []request{
		{"Accept-Encoding: br,GZIP", "Accept-Language: en;q=0.50, de"},
		{"Accept-Encoding: gzip", "Accept-Language: de, en;q=0.5"},
		{"Accept-Language: de, en;q=0.5"},
	} {
		key, ok := vary.AppendKey(buf[:0], names, presented)
		fmt.Println(ok && string(key) == string(storedKey))
	}
	// Output:
	// true
	// false
	// false
}

// The key is another one, but German is what the client wants most, and German is what is stored.
func ExamplePrefers() {
	varied := []string{"Accept-Language"}
	stored := http.Header{"Content-Language": {"de"}}
	storedKey, _ := vary.Key(varied, http.Header{"Accept-Language": {"en, de"}})

	presented, _ := vary.Key(varied, http.Header{"Accept-Language": {"fr;q=0.5, de;q=1.0"}})
	fmt.Println(vary.Prefers(storedKey, presented, stored))

	undecided, _ := vary.Key(varied, http.Header{"Accept-Language": {"fr, de"}})
	fmt.Println(vary.Prefers(storedKey, undecided, stored))
	// Output:
	// true
	// false
}
