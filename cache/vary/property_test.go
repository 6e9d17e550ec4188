package vary_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/cache/vary"
)

// respell writes a list of members in another way that means the same: another order, case, white space, weights spelled
// otherwise, members repeated, empty members, several lines.
func respell(rng *rand.Rand, members []string) []string {
	members = slices.Clone(members)
	rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	if rng.IntN(2) == 0 {
		members = append(members, members[rng.IntN(len(members))], "")
	}
	space := func() string { return []string{"", " ", "\t", "  "}[rng.IntN(4)] }
	var lines []string
	line := ""
	for i, m := range members {
		item, weight, weighted := strings.Cut(m, ";q=")
		switch rng.IntN(3) {
		case 0:
			item = strings.ToUpper(item)
		case 1:
			item = strings.ToLower(item)
		}
		line += space() + item
		if weighted {
			if len(weight) < 5 && strings.Contains(weight, ".") {
				weight += strings.Repeat("0", rng.IntN(6-len(weight)))
			}
			line += space() + ";" + space() + []string{"q=", "Q="}[rng.IntN(2)] + weight
		} else if item != "" && rng.IntN(3) == 0 {
			line += ";q=" + []string{"1", "1.", "1.0", "1.000"}[rng.IntN(4)]
		}
		line += space()
		if i < len(members)-1 {
			if rng.IntN(4) == 0 {
				lines = append(lines, line)
				line = ""
			} else {
				line += ","
			}
		}
	}
	return append(lines, line)
}

// TestRespelled_RFC9110_12_4 checks that spelling alone never changes a key, and that meaning always does.
func TestRespelled_RFC9110_12_4(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	pools := map[string][]string{
		"Accept-Language": {"de", "en-us;q=0.8", "fr;q=0.5", "zh-hant-tw;q=0.25", "*;q=0.1", "it", "es;q=0.875"},
		"Accept-Encoding": {"gzip", "br;q=0.9", "zstd;q=0.5", "identity;q=0", "*;q=0.125", "deflate"},
		"Accept":          {"text/html", "application/xml;q=0.9", "image/*;q=0.75", "*/*;q=0.1", "text/plain"},
		"Accept-Charset":  {"utf-8", "iso-8859-1;q=0.5", "*;q=0.1"},
	}
	for name, pool := range pools {
		names, _ := vary.Names([]string{name})
		seen := map[string]string{}
		for range 400 {
			members := slices.Clone(pool)
			rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
			members = members[:1+rng.IntN(len(members))]
			slices.Sort(members)
			meaning := strings.Join(members, ", ")
			plain, ok := vary.AppendHeaderKey(nil, names, http.Header{name: {meaning}})
			lines := respell(rng, members)
			other, ok2 := vary.AppendHeaderKey(nil, names, http.Header{name: lines})
			if !ok || !ok2 || !bytes.Equal(plain, other) {
				t.Fatalf("%s: %q has the key %q; respelled as %q %q", name, meaning, plain, lines, other)
			}
			if was, ok := seen[string(plain)]; ok && was != meaning {
				t.Fatalf("%s: %q and %q have the key %q", name, was, meaning, plain)
			}
			seen[string(plain)] = meaning
		}
	}
}

// variant is a stored response in a model of a cache.
type variant struct {
	key      string
	response http.Header
	body     string
}

// selectVariant is how a cache uses this package: the newest response with the key of the request, else the newest that the
// client certainly prefers.
func selectVariant(t *testing.T, stored []variant, req request) string {
	t.Helper()
	for _, v := range stored {
		if key, star := vary.Key(v.response["Vary"], req.header()); !star && key == v.key {
			return v.body
		}
	}
	for _, v := range stored {
		if key, star := vary.Key(v.response["Vary"], req.header()); !star && vary.Prefers(v.key, key, v.response) {
			return v.body
		}
	}
	return ""
}

func TestSelection_RFC9111_4_1(t *testing.T) {
	var stored []variant // newest first
	store := func(body string, req request, response ...string) {
		h := request(response).header()
		key, star := vary.Key(h["Vary"], req.header())
		if star {
			return
		}
		stored = slices.Insert(stored, 0, variant{key, h, body})
	}
	store("german", request{"Accept-Language: de"}, "Vary: Accept-Language", "Content-Language: de")
	store("english", request{"Accept-Language: en"}, "Vary: Accept-Language", "Content-Language: en")
	store("german-gzip", request{"Accept-Language: de", "Accept-Encoding: gzip"}, "Vary: Accept-Language, Accept-Encoding", "Content-Language: de", "Content-Encoding: gzip")
	store("never", request{}, "Vary: *")

	tests := []struct {
		req  request
		want string
	}{
		{request{"Accept-Language: en"}, "english"},
		{request{"Accept-Language: EN;q=1.0"}, "english"},
		// Two match; the newer wins.
		{request{"Accept-Language: de", "Accept-Encoding: gzip"}, "german-gzip"},
		{request{"Accept-Language: de", "Accept-Encoding: br"}, "german"},
		{request{"Accept-Language: de"}, "german"},
		// None matches, one is preferred.
		{request{"Accept-Language: fr;q=0.5, en"}, "english"},
		{request{"Accept-Language: de, en;q=0.5"}, "german"},
		{request{"Accept-Language: de, en;q=0.5", "Accept-Encoding: gzip"}, "german-gzip"},
		// None is certain.
		{request{"Accept-Language: de, en"}, ""},
		{request{"Accept-Language: fr"}, ""},
		{request{}, ""},
	}
	for _, tt := range tests {
		if got := selectVariant(t, stored, tt.req); got != tt.want {
			t.Errorf("%q selects %q; want %q", tt.req, got, tt.want)
		}
	}
}

// TestHostileFields keeps the work on a head of the greatest size small, and the outcome sane.
func TestHostileFields(t *testing.T) {
	names, _ := vary.Names([]string{"Accept"})
	for name, value := range map[string]string{
		"commas":     strings.Repeat(",", 60000),
		"semicolons": "a/b" + strings.Repeat(";", 60000),
		"quotes":     strings.Repeat(`"`, 60000),
		"escapes":    `a/b;c="` + strings.Repeat(`\`, 60000),
		"members":    strings.Repeat("a/b,", 15000),
		"parameters": "a/b" + strings.Repeat(";c=d", 15000),
		"long":       "a/" + strings.Repeat("b", 60000),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			key, ok := vary.AppendHeaderKey(nil, names, http.Header{"Accept": {value}})
			// A linear pass takes below a millisecond; a quadratic one many seconds.
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("takes %v", took)
			}
			if ok && len(key) > len(value)+64 {
				t.Errorf("a value of %d bytes has a key of %d", len(value), len(key))
			}
		})
	}
}

// formParse and friends are the algorithms of the draft and of the URL standard written down word for word, to compare with.
type formPair struct{ name, value string }

func formParse(query string) (pairs []formPair) {
	for _, sequence := range strings.Split(query, "&") {
		if sequence == "" {
			continue
		}
		name, value := sequence, ""
		if i := strings.Index(sequence, "="); i >= 0 {
			name, value = sequence[:i], sequence[i+1:]
		}
		pairs = append(pairs, formPair{formDecode(name), formDecode(value)})
	}
	return pairs
}

func formDecode(s string) string {
	s = strings.ReplaceAll(s, "+", " ")
	var out []byte
	for i := 0; i < len(s); i++ {
		var b byte
		if s[i] == '%' && i+2 < len(s) {
			if n, err := fmt.Sscanf(s[i+1:i+3], "%02x", &b); n == 1 && err == nil && isHex(s[i+1]) && isHex(s[i+2]) {
				out = append(out, b)
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }

// equivalent is section 6 of the draft; noVary and vary are its no-vary params and vary params, nil for the wildcard.
func equivalent(a, b string, noVary, vary []string, keyOrder bool) bool {
	pathA, queryA, _ := strings.Cut(a, "?")
	pathB, queryB, _ := strings.Cut(b, "?")
	if pathA != pathB {
		return false
	}
	var lists [2][]formPair
	for i, query := range []string{queryA, queryB} {
		for _, pair := range formParse(query) {
			if noVary != nil && slices.Contains(noVary, pair.name) || vary != nil && !slices.Contains(vary, pair.name) {
				continue
			}
			lists[i] = append(lists[i], pair)
		}
		if keyOrder {
			slices.SortStableFunc(lists[i], func(x, y formPair) int { return strings.Compare(x.name, y.name) })
		}
	}
	return slices.Equal(lists[0], lists[1])
}

// TestEquivalentAsDrafted compares canonical forms with the draft's own comparison on many small queries.
func TestEquivalentAsDrafted(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	pieces := []string{"a", "b", "A", "%61", "%62", "=", "&", "+", "%20", "%2B", "%26", "%3D", "%", "%2", "%g1", "1", ";", "?", "\xf6", "%F6"}
	target := func() string {
		s := "/p"
		if rng.IntN(10) > 0 {
			s += "?"
			for range rng.IntN(8) {
				s += pieces[rng.IntN(len(pieces))]
			}
		}
		return s
	}
	rules := []struct {
		field        string
		noVary, vary []string
		keyOrder     bool
	}{
		{`key-order`, []string{}, nil, true},
		{`params=("a")`, []string{"a"}, nil, false},
		{`params=("a" "1"), key-order`, []string{"a", "1"}, nil, true},
		{`except=("a" "")`, nil, []string{"a", ""}, false},
		{`except=("b" "a"), key-order`, nil, []string{"b", "a"}, true},
		{`params`, nil, []string{}, false},
	}
	equal := 0
	for range 30000 {
		r := rules[rng.IntN(len(rules))]
		rule, ok := vary.ParseNoVarySearch([]string{r.field})
		if !ok {
			t.Fatalf("%q is the default", r.field)
		}
		a, b := target(), target()
		want := equivalent(a, b, r.noVary, r.vary, r.keyOrder)
		if got := rule.Equivalent(a, b); got != want {
			t.Fatalf("under %q, %q and %q are equivalent: %v; want %v", r.field, a, b, got, want)
		}
		if want {
			equal++
		}
	}
	if equal < 1000 {
		t.Errorf("only %d pairs were equivalent; the test tells nothing", equal)
	}
}
