package validation_test

import (
	"fmt"
	"net/http"
	"time"

	"github.com/jayproxy/jay/validation"
)

// A stale stored response is validated, and the answer taken in.
func ExampleConditional() {
	received := time.Date(2026, time.March, 10, 12, 0, 0, 0, time.UTC)
	stored := http.Header{"Etag": {`"v1"`}, "Cache-Control": {"max-age=60"}}

	request := http.Header{"Accept": {"*/*"}}
	conditions := validation.Conditional(request, []validation.Validators{validation.Of(stored, received)})
	for _, f := range conditions.Set {
		fmt.Printf("%s: %s\n", f.Name, f.Value)
	}

	notModified := http.Header{"Etag": {`"v1"`}, "Cache-Control": {"max-age=90"}}
	selected, reply := conditions.NotModified(validation.Of(notModified, received.Add(time.Hour)))
	fmt.Println(selected, reply)
	fmt.Println(validation.Freshen(stored, notModified).Get("Cache-Control"))
	// Output:
	// If-None-Match: "v1"
	// [0] reuse
	// max-age=90
}

func ExampleCheck() {
	now := time.Date(2026, time.March, 10, 12, 0, 0, 0, time.UTC)
	stored := validation.Of(http.Header{"Etag": {`W/"v1"`}}, now)
	request := http.Header{"If-None-Match": {`"v0", "v1"`}}
	fmt.Println(validation.Check("GET", request, http.StatusOK, stored, now))
	// Output: not-modified
}

func ExampleTargets() {
	base := validation.URI{Scheme: "http", Host: "example.com", Target: "/articles/?page=1"}
	answer := http.Header{"Location": {"17"}, "Content-Location": {"https://elsewhere.example/17"}}
	fmt.Println(validation.Targets(base, answer))
	// Output: [/articles/17]
}
