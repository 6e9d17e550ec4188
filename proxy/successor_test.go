package proxy

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/cache"
	"github.com/jayproxy/jay/freshness"
	"github.com/jayproxy/jay/proxy/upstream"
	"github.com/jayproxy/jay/proxy/wire"
)

// What a 304 has made too large for a record takes the memory that it is charged for, and not that of the variants which
// were read with it.
func TestFreshen_OwnMemory(t *testing.T) {
	p, err := New(Options{CacheBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Shutdown(t.Context()) })
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	now := time.Now()
	lines := "Cache-Control: max-age=86400\r\nETag: \"1\"\r\nVary: X\r\nVia: 1.1 jay\r\n"
	h := (&stored{lines: lines}).header()
	const urls, variants = 60, 16
	for i := range urls * variants {
		m := stored{lines: lines, reason: "OK", fresh: freshness.ParseResponse(nil, 200, h, now, now)}
		m.selects = selection(appendText(appendText(nil, "X"), fmt.Sprint(i)))
		e := &entry{Key: fmt.Sprint("http://a.test/", i/variants), Variant: fmt.Sprint(i), Meta: m, Body: cache.NewBody(make([]byte, 3500)), Length: 3500}
		e.Extra = e.Meta.size()
		if ok, why := p.put(e, p.store.Epoch(e.Key)); !ok {
			t.Fatal(why)
		}
	}
	fields, err := wire.ParseFields("ETag: \"1\"\r\nVary: X\r\nCache-Control: max-age=86400\r\nX-More: " + strings.Repeat("x", 1000) + "\r\n")
	if err != nil {
		t.Fatal(err)
	}
	resp := &upstream.Response{Response: wire.Response{Status: http.StatusNotModified, Fields: fields}, RequestTime: now, ResponseTime: now}
	heldBefore, before := p.Stats().Cache.Bytes, heap()
	for i := range urls {
		x, err := p.located(fmt.Sprint("http://a.test/", i))
		if err != nil {
			t.Fatal(err)
		}
		for range variants {
			list := x.variants() // the oldest becomes the newest
			x.freshen(list[len(list)-1], x.examine(resp))
		}
	}
	took, counted := heap()-before, p.Stats().Cache.Bytes-heldBefore
	if counted < urls*variants*500 {
		t.Fatalf("%d bytes more are counted; want more for every variant", counted)
	}
	if slack := int64(urls * variants * 4096); took > counted+slack {
		t.Errorf("%d bytes more are taken; counted %d", took, counted)
	}
	runtime.KeepAlive(p)
}
