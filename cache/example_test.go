package cache_test

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/jayproxy/jay/cache"
)

// A response is received through a fill, which other requests could follow meanwhile, then stored and found.
func Example() {
	type meta struct{ status int }
	s, err := cache.New(cache.Options{MaxBytes: 1 << 20}, cache.Codec[meta]{
		Append: func(b []byte, m *meta) []byte { return binary.AppendUvarint(b, uint64(m.status)) },
		Parse: func(text string, m *meta) {
			n, _ := binary.Uvarint([]byte(text))
			m.status = int(n)
		},
	})
	if err != nil {
		panic(err)
	}
	defer s.Close()

	const key = "http://www.example.com/"
	at := s.Epoch(key) // before the request is forwarded

	f := s.NewFill(cache.FillOptions{Expected: -1})
	r, _ := f.NewReader(0)
	go func() {
		for _, chunk := range []string{"hello, ", "world"} {
			b, err := f.Buffer()
			if err != nil {
				f.Close(err)
				return
			}
			f.Advance(copy(b, chunk))
		}
		f.Close(nil)
	}()
	for {
		b, err := r.Next()
		if err != nil {
			fmt.Println(err == io.EOF)
			break
		}
		_ = b // goes to the client
	}
	r.Close()

	if body, ok := f.Body(); ok {
		stored, why := s.Put(&cache.Entry[meta]{Key: key, Meta: meta{200}, Body: body, Length: body.Held()}, at)
		fmt.Printf("%t %q\n", stored, why)
	}
	for _, e := range s.Variants(key) {
		b, _ := e.Body.Bytes()
		fmt.Printf("%d %s\n", e.Meta.status, b)
		s.Use(e)
	}
	fmt.Println(s.Invalidate(key), len(s.Variants(key)))
	// Output:
	// true
	// true ""
	// 200 hello, world
	// 1 0
}

// A part is stored, the gaps are fetched, and the whole is served.
func ExampleBody_Merge() {
	b := cache.NewPart(6, []byte("middle"))
	for _, gap := range b.Gaps(0, 17) {
		fmt.Println("fetch", gap.Start, "to", gap.End-1)
	}
	b = b.Merge(cache.NewPart(0, []byte("start,"))).Merge(cache.NewPart(12, []byte(", end")))
	whole, ok := b.Bytes()
	fmt.Printf("%s %t\n", whole, ok)
	// Output:
	// fetch 0 to 5
	// fetch 12 to 16
	// start,middle, end true
}
