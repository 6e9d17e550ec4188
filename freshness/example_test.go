package freshness_test

import (
	"fmt"
	"net/http"
	"time"

	"github.com/jayproxy/jay/freshness"
)

func Example() {
	received := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	req := freshness.ParseRequest(http.Header{})
	resp := freshness.ParseResponse(nil, 200, http.Header{
		"Cache-Control": {"max-age=60, stale-while-revalidate=30"},
		"Age":           {"10"},
	}, received, received)

	stored, reason := freshness.Storable("GET", req, &resp)
	fmt.Println(stored, reason)
	for _, after := range []time.Duration{30 * time.Second, time.Minute, time.Hour} {
		d := freshness.Decide(req, &resp, received.Add(after))
		fmt.Println(d.Verdict, d.Reason, d.Age, d.TTL())
	}
	fmt.Println(freshness.Decide(req, &resp, received.Add(time.Hour)).Reason.Explain())
	// Output:
	// true explicit-freshness
	// reuse fresh 40s 20s
	// reuse-while-revalidate stale-while-revalidate 1m10s -10s
	// forward stale 1h0m10s -59m10s
	// The stored response is older than its freshness lifetime.
}

func ExamplePolicy() {
	h := http.Header{}
	h.Set("Cache-Control", "no-store")
	h.Set("CDN-Cache-Control", "max-age=60")
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

	gateway := freshness.Policy{Targeted: []string{"CDN-Cache-Control"}}
	for _, p := range []*freshness.Policy{nil, &gateway} {
		resp := freshness.ParseResponse(p, 200, h, now, now)
		stored, reason := freshness.Storable("GET", freshness.Request{}, &resp)
		fmt.Println(stored, reason)
	}
	// Output:
	// false no-store
	// true explicit-freshness
}

func ExampleParseDate() {
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	for _, s := range []string{"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "0"} {
		t, ok := freshness.ParseDate(s, now)
		fmt.Println(ok, t.Year())
	}
	// Output:
	// true 1994
	// true 1994
	// false 1
}
