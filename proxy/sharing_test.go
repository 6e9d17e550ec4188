package proxy

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestPartial_underConcurrency: whatever clients ask for at the same time, wholes and ranges, slow or gone in between, and
// however the resource changes meanwhile, the bytes that they get are those of the version that their answer names. Nobody
// waits for ever: the bubble would say so.
func TestPartial_underConcurrency(t *testing.T) {
	for name, o := range map[string]Options{
		"steady": {CacheBytes: 16 << 20}, "steady windows": {CacheBytes: 16 << 20, FillBytes: 200 << 10}, "steady evicted": {CacheBytes: 1 << 20, FillBytes: ample}, "kept": {CacheBytes: 16 << 20}, "windows": {CacheBytes: 16 << 20, FillBytes: 200 << 10}, "evicted": {CacheBytes: 1 << 20},
	} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(name, " ", seed), func(t *testing.T) { concurrentParts(t, o, seed, strings.HasPrefix(name, "steady")) })
		}
	}
}

// ample is room for all fetches of this test at a time: none of them becomes a window.
const ample = 4 << 20

// versions is a resource that changes.
type versions struct {
	now    atomic.Int64
	steady bool // it does not change

	windows bool // who is slower than others may be cut off
}

// change makes another version, if there are to be any.
func (v *versions) change() {
	if !v.steady {
		v.now.Add(1)
	}
}

// body is the content of a version: each has another length, and no byte where another has the same.
func (v *versions) body(n int64) string {
	size := 120000 + int(n%5)*20000
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(int64(i*7+i>>8) + n)
	}
	return string(b)
}

func concurrentParts(t *testing.T, o Options, seed uint64, steady bool) {
	v := versions{steady: steady, windows: cmp.Or(o.FillBytes, o.CacheBytes/4) < ample}
	inBubble(t, o, func(a *ask) string {
		n := v.now.Load()
		if a.method == "POST" {
			v.change()
			return respond(204, "")
		}
		age := "max-age=60"
		if n%7 == 3 {
			age = "no-store"
		}
		answer := ranged(a, v.body(n), fmt.Sprintf(`"%d"`, n), "Cache-Control: "+age)
		for len(answer) > 30000 {
			if a.say(answer[:30000]) != nil {
				return ""
			}
			answer = answer[30000:]
			time.Sleep(200 * time.Millisecond)
		}
		return answer
	}, func(t *testing.T, w *world) {
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(g)))
				for range 40 {
					askPart(t, w, &v, r)
					time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
				}
			})
		}
		wg.Wait()
	})
}

// askPart makes one request and checks the answer.
func askPart(t *testing.T, w *world, v *versions, r *rand.Rand) {
	c := w.client()
	defer c.Close()
	method, lines := "GET", []string{}
	switch n := r.IntN(20); {
	case n == 0:
		method = "POST"
	case n == 1:
		v.change()
	case n < 4:
		lines = append(lines, "Authorization: x")
	case n < 5:
		lines = append(lines, "Cache-Control: no-cache")
	}
	if first := r.IntN(150000); method == "GET" && r.IntN(3) > 0 {
		spec := fmt.Sprintf("Range: bytes=%d-", first)
		if r.IntN(2) == 0 {
			spec += strconv.Itoa(first + r.IntN(40000))
		}
		lines = append(lines, spec)
	}
	c.send(request(method, host+"/", "", lines...))
	a := c.readHead()
	if a.status == 200 || a.status == 206 {
		switch r.IntN(6) {
		case 0:
			return // the client goes
		case 1:
			time.Sleep(time.Duration(r.IntN(9)) * time.Second) // the client is slow
		}
	}
	a.readBody(method, c.r)
	checkPart(t, v, a, lines)
}

// checkPart compares an answer with the version that it names.
func checkPart(t *testing.T, v *versions, a *answer, lines []string) {
	if a.status != 200 && a.status != 206 {
		if a.status != 204 && a.status != 416 {
			t.Errorf("%v: got %s", lines, a.line)
		}
		return
	}
	n, err := strconv.ParseInt(strings.Trim(a.get("ETag"), `"`), 10, 64)
	if err != nil {
		t.Fatalf("%v: got %s %q", lines, a.line, a.head)
	}
	want := v.body(n)
	if a.status == 206 {
		var first, last, length int
		if _, err := fmt.Sscanf(a.get("Content-Range"), "bytes %d-%d/%d", &first, &last, &length); err != nil || length != len(want) || last >= length {
			t.Errorf("%v: Content-Range %q of version %d", lines, a.get("Content-Range"), n)
			return
		}
		want = want[first : last+1]
	}
	switch {
	case a.cut && strings.HasPrefix(want, a.body) && (!v.steady || v.windows): // what comes next was not to be had any more
	case a.body != want:
		t.Errorf("%v: %s, %s: %d bytes are not the %d of version %d", lines, a.line, a.cacheStatus(), len(a.body), len(want), n)
	}
}

// TestPartial_lagging: who is too slow for a fetch of the whole that is not kept does not hold up the others for long, and
// fetches the rest of its range itself.
func TestPartial_lagging(t *testing.T) {
	body := content(3 << 20)
	inBubble(t, Options{CacheBytes: 64 << 20, FillBytes: 300 << 10}, func(a *ask) string {
		answer := ranged(a, body, `"1"`, "Cache-Control: max-age=60")
		if a.nth > 0 {
			return answer
		}
		a.say(answer[:100<<10])
		time.Sleep(time.Second)
		return answer[100<<10:]
	}, func(t *testing.T, w *world) {
		fast, slow := w.client(), w.client()
		fast.send(request("GET", host+"/", ""))
		whole := fast.readHead()
		slow.send(request("GET", host+"/", "", "Range: bytes=10-1999999"))
		part := slow.readHead()
		if n := w.origin.count(""); n != 1 {
			t.Fatalf("%d fetches; want the range to be answered from that of the whole", n)
		}
		start := time.Now()
		whole.readBody("GET", fast.r)
		if took := time.Since(start); whole.body != body || took > 10*time.Second {
			t.Errorf("the whole came as %d bytes after %v", len(whole.body), took)
		}
		part.readBody("GET", slow.r)
		if part.status != 206 || part.body != body[10:2000000] {
			t.Errorf("got %s with %d bytes, cut %v; want all of the range", part.line, len(part.body), part.cut)
		}
	})
}
