package validation_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/jayproxy/jay/validation"
)

// sent is what a request looks like after its conditions were applied, of the two fields that matter.
func sent(req []string, c validation.Conditions) string {
	h := fields(req...)
	for _, name := range c.Drop {
		h.Del(name)
	}
	for _, f := range c.Set {
		h.Set(f.Name, f.Value)
	}
	var out []string
	for _, name := range []string{"If-None-Match", "If-Modified-Since"} {
		for _, value := range h.Values(name) {
			out = append(out, name+": "+value)
		}
	}
	return strings.Join(out, "\n")
}

func TestConditional_RFC9111_4_3_1(t *testing.T) {
	lm, lm2 := date(-hour), date(-2*hour)
	rfc850 := now.Add(-hour).Format("Monday, 02-Jan-06 15:04:05 ") + "GMT"
	dated := func(lines ...string) []string { return append(lines, "Date: "+date(0)) }
	tests := []struct {
		name   string
		stored [][]string
		req    []string
		want   []string
	}{
		{"tag", [][]string{dated(`ETag: "a"`)}, nil, []string{`If-None-Match: "a"`}},
		{"weak-tag", [][]string{dated(`ETag: W/"a"`)}, nil, []string{`If-None-Match: W/"a"`}},
		{"odd-tag-as-it-came", [][]string{dated(`ETag: a`)}, nil, []string{`If-None-Match: a`}},
		{"star-tag-never", [][]string{dated(`ETag: *`)}, nil, nil},
		{"date", [][]string{dated("Last-Modified: " + lm)}, nil, []string{"If-Modified-Since: " + lm}},
		{"date-byte-for-byte", [][]string{dated("Last-Modified: " + rfc850)}, nil, []string{"If-Modified-Since: " + rfc850}},
		{"date-invalid", [][]string{dated("Last-Modified: 0")}, nil, nil},
		{"both", [][]string{dated(`ETag: "a"`, "Last-Modified: "+lm)}, nil, []string{`If-None-Match: "a"`, "If-Modified-Since: " + lm}},
		{"both-subrange", [][]string{dated(`ETag: "a"`, "Last-Modified: "+lm)}, []string{"Range: bytes=0-1"}, []string{`If-None-Match: "a"`}},
		{"date-subrange", [][]string{dated("Last-Modified: " + lm)}, []string{"Range: bytes=0-1"}, []string{"If-Modified-Since: " + lm}},
		{"nothing", [][]string{dated()}, nil, nil},
		{"nothing-stored", nil, nil, nil},
		// Several stored responses.
		{"tags", [][]string{dated(`ETag: "a"`, "Last-Modified: "+lm), dated(`ETag: "b"`, "Last-Modified: "+lm2)}, nil, []string{`If-None-Match: "a", "b"`}},
		{"tags-equal", [][]string{dated(`ETag: "a"`), dated(`ETag: "a"`)}, nil, []string{`If-None-Match: "a"`}},
		{"tags-and-without", [][]string{dated("Last-Modified: " + lm), dated(`ETag: "b"`, "Last-Modified: "+lm2)}, nil, []string{`If-None-Match: "b"`, "If-Modified-Since: " + lm2}},
		{"dates-most-recent", [][]string{dated(), dated("Last-Modified: " + lm), dated("Last-Modified: " + lm2)}, nil, []string{"If-Modified-Since: " + lm}},
		// RFC 9111 §4.3.2: with what the client knows.
		{"client-tag-joins", [][]string{dated(`ETag: "a"`)}, []string{`If-None-Match: "b"`}, []string{`If-None-Match: "a", "b"`}},
		{"client-tags-join", [][]string{dated(`ETag: "a"`)}, []string{`If-None-Match: "b", "c"`, `If-None-Match: W/"d"`}, []string{`If-None-Match: "a", "b", "c", W/"d"`}},
		{"client-tag-same", [][]string{dated(`ETag: "a"`)}, []string{`If-None-Match: "a"`}, []string{`If-None-Match: "a"`}},
		{"client-tag-same-weakly", [][]string{dated(`ETag: "a"`)}, []string{`If-None-Match: W/"a"`}, []string{`If-None-Match: "a"`}},
		{"client-star-replaced", [][]string{dated(`ETag: "a"`)}, []string{`If-None-Match: *`}, []string{`If-None-Match: "a"`}},
		{"client-odd-dropped", [][]string{dated(`ETag: "a"`)}, []string{`If-None-Match: b`}, []string{`If-None-Match: "a"`}},
		{"client-date-dropped", [][]string{dated(`ETag: "a"`)}, []string{"If-Modified-Since: " + lm}, []string{`If-None-Match: "a"`}},
		{"client-date-replaced", [][]string{dated(`ETag: "a"`, "Last-Modified: "+lm)}, []string{"If-Modified-Since: " + lm2}, []string{`If-None-Match: "a"`, "If-Modified-Since: " + lm}},
		{"client-date-for-date", [][]string{dated("Last-Modified: " + lm)}, []string{"If-Modified-Since: " + lm2}, []string{"If-Modified-Since: " + lm}},
		{"client-tag-for-date", [][]string{dated("Last-Modified: " + lm)}, []string{`If-None-Match: "b"`}, []string{"If-Modified-Since: " + lm}},
		{"client-alone", [][]string{dated()}, []string{`If-None-Match: "b"`, "If-Modified-Since: " + lm2}, []string{`If-None-Match: "b"`, "If-Modified-Since: " + lm2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stored []validation.Validators
			for _, lines := range tt.stored {
				stored = append(stored, of(lines...))
			}
			c := validation.Conditional(fields(tt.req...), stored)
			if got, want := sent(tt.req, c), strings.Join(tt.want, "\n"); got != want {
				t.Errorf("sends\n%s\nwant\n%s", got, want)
			}
			if got, want := c.Validating(), len(tt.want) > 0 && !strings.HasPrefix(tt.name, "client-alone"); got != want {
				t.Errorf("Validating() = %v; want %v", got, want)
			}
		})
	}
}

func TestConditionalBounded(t *testing.T) {
	var many []string
	for i := range 500 {
		many = append(many, `"`+strings.Repeat("x", i+1)+`"`)
	}
	c := validation.Conditional(fields("If-None-Match: "+strings.Join(many, ",")), []validation.Validators{of(`ETag: "a"`)})
	if n := len(validation.ParseETags([]string{c.Set[0].Value})); n > 64 {
		t.Errorf("sends %d tags; want at most 64", n)
	}
}

func TestNotModified_RFC9111_4_3_4(t *testing.T) {
	lm, lm2 := "Last-Modified: "+date(-hour), "Last-Modified: "+date(-2*hour)
	dt := "Date: " + date(0)
	a, b := []string{`ETag: "a"`, lm, dt}, []string{`ETag: "b"`, lm2, dt}
	bare := []string{dt}
	tests := []struct {
		name     string
		stored   [][]string
		req      []string
		update   []string
		selected []int
		reply    validation.Reply
	}{
		{"same-tag", [][]string{a}, nil, []string{`ETag: "a"`, dt}, []int{0}, validation.Reuse},
		{"other-tag", [][]string{a}, nil, []string{`ETag: "z"`, dt}, nil, validation.Refetch},
		{"other-tag-same-date", [][]string{a}, nil, []string{`ETag: "z"`, lm, dt}, nil, validation.Refetch},
		{"one-of-two", [][]string{a, b}, nil, []string{`ETag: "b"`, dt}, []int{1}, validation.Reuse},
		{"weak-of-strong", [][]string{a}, nil, []string{`ETag: W/"a"`, dt}, []int{0}, validation.Reuse},
		{"same-date-only", [][]string{a}, nil, []string{lm, dt}, []int{0}, validation.Reuse},
		{"other-date-only", [][]string{a}, nil, []string{lm2, dt}, nil, validation.Refetch},
		{"no-validator-one-asked", [][]string{a}, nil, bare, []int{0}, validation.Reuse},
		{"no-validator-one-of-two-asked", [][]string{bare, a}, nil, bare, []int{1}, validation.Reuse},
		{"no-validator-two-asked", [][]string{a, b}, nil, bare, nil, validation.Refetch},
		{"invalid-date-is-none", [][]string{a}, nil, []string{"Last-Modified: 0", dt}, []int{0}, validation.Reuse},
		// The client took part in the question.
		{"client-tag", [][]string{a}, []string{`If-None-Match: "z"`}, []string{`ETag: "z"`, dt}, nil, validation.Relay},
		{"client-weak-tag", [][]string{a}, []string{`If-None-Match: W/"z"`}, []string{`ETag: "z"`, dt}, nil, validation.Relay},
		{"client-tag-stored-matches", [][]string{a}, []string{`If-None-Match: "z"`}, []string{`ETag: "a"`, dt}, []int{0}, validation.Reuse},
		{"client-tag-neither", [][]string{a}, []string{`If-None-Match: "z"`}, []string{`ETag: "y"`, dt}, nil, validation.Refetch},
		{"client-tag-ambiguous", [][]string{a}, []string{`If-None-Match: "z"`}, bare, nil, validation.Refetch},
		{"client-same-tag-no-validator", [][]string{a}, []string{`If-None-Match: "a"`}, bare, []int{0}, validation.Reuse},
		{"client-date-no-validator", [][]string{a}, []string{"If-Modified-Since: " + date(0)}, bare, []int{0}, validation.Reuse},
		// Nothing stored took part.
		{"nothing-stored", nil, []string{`If-None-Match: "z"`}, []string{`ETag: "z"`, dt}, nil, validation.Relay},
		{"nothing-stored-unasked", nil, nil, []string{`ETag: "z"`, dt}, nil, validation.Refetch},
		{"no-validator-stored", [][]string{bare}, []string{`If-None-Match: "z"`}, []string{dt}, nil, validation.Relay},
		{"no-validator-stored-unasked", [][]string{bare}, nil, bare, nil, validation.Refetch},
		// The last rule of the section: neither side has a validator. It holds only for what is no older than the client's copy.
		{"date-proves-stored", [][]string{{"Date: " + date(-minute)}}, []string{"If-Modified-Since: " + date(-hour)}, bare, []int{0}, validation.Relay},
		{"date-proves-nothing", [][]string{{"Date: " + date(-2*hour)}}, []string{"If-Modified-Since: " + date(-hour)}, bare, nil, validation.Relay},
		{"date-with-validator", [][]string{{"Date: " + date(-minute)}}, []string{"If-Modified-Since: " + date(-hour)}, a, nil, validation.Relay},
		{"date-two-stored", [][]string{bare, bare}, []string{"If-Modified-Since: " + date(-hour)}, bare, nil, validation.Relay},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stored []validation.Validators
			for _, lines := range tt.stored {
				stored = append(stored, of(lines...))
			}
			c := validation.Conditional(fields(tt.req...), stored)
			selected, reply := c.NotModified(of(tt.update...))
			if !slices.Equal(selected, tt.selected) || reply != tt.reply {
				t.Errorf("got %v, %v; want %v, %v", selected, reply, tt.selected, tt.reply)
			}
		})
	}
}

func TestSelects_RFC9111_4_3_4(t *testing.T) {
	lm, lm2, dt := "Last-Modified: "+date(-hour), "Last-Modified: "+date(-2*hour), "Date: "+date(0)
	young := "Last-Modified: " + date(-1e9)
	tests := []struct {
		name   string
		update []string
		stored [][]string
		want   []int
	}{
		// A strong validator selects everything that has it, and nothing else.
		{"strong-all", []string{`ETag: "a"`}, [][]string{{`ETag: "a"`}, {`ETag: "b"`}, {`ETag: "a"`}}, []int{0, 2}},
		{"strong-none", []string{`ETag: "a"`}, [][]string{{`ETag: "b"`}, {}}, nil},
		{"strong-not-weak", []string{`ETag: "a"`}, [][]string{{`ETag: W/"a"`}}, nil},
		{"strong-date-all", []string{lm, dt}, [][]string{{lm, dt}, {lm2, dt}, {`ETag: "a"`, lm, dt}}, []int{0, 2}},
		{"strong-tag-beats-date", []string{`ETag: "a"`, lm, dt}, [][]string{{`ETag: "b"`, lm, dt}, {lm, dt}}, []int{1}},
		// A weak one selects the most recent that has it.
		{"weak-first", []string{`ETag: W/"a"`}, [][]string{{`ETag: "b"`}, {`ETag: W/"a"`}, {`ETag: W/"a"`}}, []int{1}},
		{"weak-strong-stored", []string{`ETag: W/"a"`}, [][]string{{`ETag: "a"`}}, []int{0}},
		{"weak-none", []string{`ETag: W/"a"`}, [][]string{{`ETag: W/"b"`}}, nil},
		{"odd", []string{`ETag: a`}, [][]string{{`ETag: b`}, {`ETag: a`}}, []int{1}},
		{"weak-date", []string{young, dt}, [][]string{{lm, dt}, {young, dt}, {young, dt}}, []int{1}},
		{"date-strong-now-weak-then", []string{young, "Date: " + date(hour)}, [][]string{{young, dt}}, []int{0}},
		{"weak-tag-mismatch-same-date", []string{`ETag: W/"a"`, lm, dt}, [][]string{{`ETag: W/"b"`, lm, dt}}, nil},
		// None selects the only one, if that has none either.
		{"none-one", []string{dt}, [][]string{{dt}}, []int{0}},
		{"none-one-with-tag", []string{dt}, [][]string{{`ETag: "a"`}}, nil},
		{"none-one-with-date", []string{dt}, [][]string{{lm}}, nil},
		{"none-two", []string{dt}, [][]string{{dt}, {dt}}, nil},
		{"none-nothing", []string{dt}, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stored []validation.Validators
			for _, lines := range tt.stored {
				stored = append(stored, of(lines...))
			}
			if got := validation.Selects(of(tt.update...), stored); !slices.Equal(got, tt.want) {
				t.Errorf("got %v; want %v", got, tt.want)
			}
		})
	}
}

func TestGapCondition_RFC9111_3_3(t *testing.T) {
	lm, dt := date(-hour), "Date: "+date(0)
	tests := []struct {
		name   string
		stored []string
		want   string
	}{
		{"strong-tag", []string{`ETag: "a"`, "Last-Modified: " + lm, dt}, `"a"`},
		{"weak-tag", []string{`ETag: W/"a"`}, ""},
		{"weak-tag-strong-date", []string{`ETag: W/"a"`, "Last-Modified: " + lm, dt}, ""},
		{"odd-tag", []string{`ETag: a`}, ""},
		{"strong-date", []string{"Last-Modified: " + lm, dt}, lm},
		{"weak-date", []string{"Last-Modified: " + date(0), dt}, ""},
		{"none", []string{dt}, ""},
	}
	for _, tt := range tests {
		if got, ok := validation.GapCondition(of(tt.stored...)); got != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: got %q, %v; want %q", tt.name, got, ok, tt.want)
		}
	}
}

func TestReplyString(t *testing.T) {
	for r, want := range map[validation.Reply]string{validation.Reuse: "reuse", validation.Relay: "relay", validation.Refetch: "refetch"} {
		if got := r.String(); got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
}

// A 304 with a strong tag never selects a response with another one, whatever was asked.
func FuzzNotModified(f *testing.F) {
	f.Add(`"a"`, `"b"`, `"a"`, `"c"`)
	f.Add(`W/"a"`, `"a"`, ``, `*`)
	f.Add(`a`, `a`, `a`, `a`)
	f.Fuzz(func(t *testing.T, storedA, storedB, update, client string) {
		stored := []validation.Validators{of("ETag:" + storedA), of("ETag:" + storedB)}
		c := validation.Conditional(fields("If-None-Match: "+client), stored)
		v := of("ETag:" + update)
		selected, reply := c.NotModified(v)
		for _, i := range selected {
			if v.ETag.Strong() && !v.ETag.StrongEqual(stored[i].ETag) {
				t.Errorf("304 with %s selects %s", v.ETag, stored[i].ETag)
			}
			if v.ETag.Present() && !v.ETag.WeakEqual(stored[i].ETag) {
				t.Errorf("304 with %s selects %s", v.ETag, stored[i].ETag)
			}
		}
		if reply == validation.Reuse && len(selected) == 0 {
			t.Errorf("reuse of nothing")
		}
		for _, f := range c.Set {
			for _, tag := range validation.ParseETags([]string{f.Value}) {
				if tag.String() == "*" {
					t.Errorf("sends a star")
				}
			}
		}
	})
}
