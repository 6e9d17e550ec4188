package validation_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/jayproxy/jay/validation"
)

// modelOrigin is an origin of one resource that changes, with everything an honest origin does.
type modelOrigin struct {
	version  int
	modified time.Time
	tags     bool // sends entity tags; else dates only
}

// body is a representation; every version differs from every other in every byte.
func (o *modelOrigin) body() string {
	b := make([]byte, 40+o.version%7)
	for i := range b {
		b[i] = byte('A' + (o.version+i)%26)
	}
	return string(b)
}

func (o *modelOrigin) fields(at time.Time) http.Header {
	h := http.Header{"Date": {at.Format(http.TimeFormat)}, "Last-Modified": {o.modified.Format(http.TimeFormat)}}
	if o.tags {
		h["Etag"] = []string{fmt.Sprintf(`"v%d"`, o.version)}
	}
	h.Set("X-Version", fmt.Sprint(o.version))
	return h
}

// serve answers a GET request with the same functions that Jay answers from its cache with.
func (o *modelOrigin) serve(req http.Header, at time.Time) (int, http.Header, string) {
	h := o.fields(at)
	v := validation.Of(h, at)
	body := o.body()
	if validation.Check("GET", req, 200, v, at) == validation.NotModified {
		return 304, h, ""
	}
	ranges, ok := validation.Ranges(req, 0)
	if !ok || !validation.IfRange(req, v, at) {
		return 200, h, body
	}
	spans, answer := validation.Resolve(ranges, int64(len(body)))
	switch {
	case answer == validation.Unsatisfiable:
		h.Set("Content-Range", validation.ContentRange{Length: int64(len(body))}.String())
		return 416, h, ""
	case answer == validation.Ignore || len(spans) > 1:
		return 200, h, body
	}
	h.Set("Content-Range", validation.ContentRange{Span: spans[0], Length: int64(len(body))}.String())
	return 206, h, body[spans[0].Start:spans[0].End]
}

// modelCache holds parts of one representation, a byte each, as a cache would that trusts this package.
type modelCache struct {
	header http.Header
	length int64
	bytes  map[int64]byte
}

// take stores a 200 or 206, combined with what is there where that is allowed.
func (c *modelCache) take(t *testing.T, status int, h http.Header, content string) {
	t.Helper()
	span := validation.Span{Start: 0, End: int64(len(content))}
	length := span.End
	if status == 206 {
		r, ok := validation.ParseContentRange(h.Get("Content-Range"))
		if !ok || r.Span.Len() != int64(len(content)) {
			t.Fatalf("bad Content-Range %q for %d bytes", h.Get("Content-Range"), len(content))
		}
		span, length = r.Span, r.Length
	}
	if status == 200 || c.header == nil || !validation.Combinable(c.header, h) {
		c.header, c.bytes = http.Header{}, map[int64]byte{}
	}
	c.header, c.length = validation.Freshen(c.header, h), length
	for i := range span.Len() {
		c.bytes[span.Start+i] = content[i]
	}
}

// gap is the first run of bytes that is missing.
func (c *modelCache) gap() (validation.Span, bool) {
	for i := range c.length {
		if _, held := c.bytes[i]; held {
			continue
		}
		end := i
		for ; end < c.length; end++ {
			if _, held := c.bytes[end]; held {
				break
			}
		}
		return validation.Span{Start: i, End: end}, true
	}
	return validation.Span{}, false
}

func (c *modelCache) whole() string {
	b := make([]byte, 0, c.length)
	for i := range c.length {
		b = append(b, c.bytes[i])
	}
	return string(b)
}

// TestPartialsMakeTheWhole_RFC9111_3_4: parts that were combined while the resource changed under the cache are, once there is
// no gap, exactly one version of it, the one that the fields speak of.
func TestPartialsMakeTheWhole_RFC9111_3_4(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	completed, combined := 0, 0
	for round := range 300 {
		o := &modelOrigin{version: round * 100, modified: now.Add(-hour), tags: round%2 == 0}
		c := &modelCache{}
		at := now
		for range 40 {
			at = at.Add(time.Duration(rng.IntN(100)) * time.Second)
			if rng.IntN(8) == 0 {
				o.version, o.modified = o.version+1, at
			}
			req := http.Header{"Range": {validation.RangeValue(validation.Span{Start: rng.Int64N(30), End: 31 + rng.Int64N(9)}, -1)}}
			if missing, ok := c.gap(); ok && rng.IntN(3) > 0 {
				req["Range"] = []string{validation.RangeValue(missing, c.length)}
				if value, ok := validation.GapCondition(validation.Of(c.header, at)); ok {
					req["If-Range"] = []string{value}
				}
			}
			status, h, content := o.serve(req, at)
			if status != 200 && status != 206 {
				continue
			}
			if c.header != nil && validation.Combinable(c.header, h) {
				combined++
			}
			c.take(t, status, h, content)
			if _, missing := c.gap(); missing {
				continue
			}
			completed++
			var version int
			fmt.Sscan(c.header.Get("X-Version"), &version)
			if want := (&modelOrigin{version: version}).body(); c.whole() != want {
				t.Fatalf("round %d: the parts make %q; version %d is %q", round, c.whole(), version, want)
			}
		}
	}
	if completed < 500 || combined < 500 {
		t.Errorf("completed %d times and combined %d times; the test tells too little", completed, combined)
	}
}

// TestValidationMakesCurrent_RFC9111_4_3: a cache that validates what it has, for clients that have copies of their own, gives
// each client what the origin has now, or tells it truly that its copy is that.
func TestValidationMakesCurrent_RFC9111_4_3(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	replies := map[validation.Reply]int{}
	for round := range 300 {
		o := &modelOrigin{version: round * 100, modified: now.Add(-hour), tags: round%3 != 0}
		at := now
		_, stored, body := o.serve(nil, at)
		client, clientBody := stored, body // what the client has
		for range 30 {
			at = at.Add(time.Duration(60+rng.IntN(100)) * time.Second)
			if rng.IntN(3) == 0 {
				// Another second than any Date before, or no date could tell.
				o.version, o.modified = o.version+1, at.Add(-time.Second)
			}
			if rng.IntN(4) == 0 {
				_, client, clientBody = o.serve(nil, at) // fetched elsewhere
			}
			req := http.Header{}
			if rng.IntN(2) == 0 {
				if tag := client.Get("Etag"); tag != "" {
					req.Set("If-None-Match", tag)
				}
				req.Set("If-Modified-Since", client.Get("Last-Modified"))
			}
			c := validation.Conditional(req, []validation.Validators{validation.Of(stored, at)})
			status, h, content := o.serve(apply(req, c), at)
			outcome := validation.NotModified
			switch status {
			case 200:
				stored, body = h, content
				outcome = validation.Check("GET", req, 200, validation.Of(stored, at), at)
			case 304:
				selected, reply := c.NotModified(validation.Of(h, at))
				replies[reply]++
				if reply == validation.Refetch {
					t.Fatalf("round %d: a good origin's 304 applies to nothing", round)
				}
				if len(selected) > 0 {
					stored = validation.Freshen(stored, h)
				}
				if reply == validation.Reuse {
					outcome = validation.Check("GET", req, 200, validation.Of(stored, at), at)
				}
			}
			got := body
			if outcome == validation.NotModified {
				got = clientBody
			}
			if got != o.body() {
				t.Fatalf("round %d: the client has %q; the origin %q", round, got, o.body())
			}
			if rng.IntN(2) == 0 {
				client, clientBody = o.fields(at), o.body()
			}
		}
	}
	if replies[validation.Reuse] < 500 || replies[validation.Relay] < 50 {
		t.Errorf("replies %v; the test tells too little", replies)
	}
}

// apply puts conditions on a copy of a request.
func apply(req http.Header, c validation.Conditions) http.Header {
	out := req.Clone()
	for _, name := range c.Drop {
		out.Del(name)
	}
	for _, f := range c.Set {
		out.Set(f.Name, f.Value)
	}
	return out
}
