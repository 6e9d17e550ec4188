package cache_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jayproxy/jay/cache"
)

var errCut = errors.New("cut")

// write appends p to f in chunks of at most n bytes.
func write(f *cache.Fill, p []byte, n int) error {
	for len(p) > 0 {
		b, err := f.Buffer()
		if err != nil {
			return err
		}
		m := copy(b, p[:min(n, len(p))])
		f.Advance(m)
		p = p[m:]
	}
	return nil
}

// readAll reads r to its end.
func readAll(r *cache.FillReader) ([]byte, error) {
	var all []byte
	for {
		b, err := r.Next()
		if err != nil {
			return all, err
		}
		all = append(all, b...)
	}
}

func reader(t *testing.T, f *cache.Fill, off int64) *cache.FillReader {
	t.Helper()
	r, ok := f.NewReader(off)
	if !ok {
		t.Fatalf("NewReader(%d) = false; want true", off)
	}
	return r
}

// noFills checks that all memory and all counts of fills were given back.
func noFills(t *testing.T, s *cache.Store[meta]) {
	t.Helper()
	if st := s.Stats(); st.FillBytes != 0 || st.Fills != 0 {
		t.Errorf("%d bytes are charged for %d fills; want none", st.FillBytes, st.Fills)
	}
}

// A fill gives every reader the same bytes, whatever the sizes, and ends as it was closed.
func TestFill(t *testing.T) {
	for _, tc := range []struct {
		name            string
		size, chunk     int
		start, expected int64
		max             int64 // MaxBytes; the limit for one object is an eighth
		fills           int64
		err             error
		storable, one   bool
	}{
		{name: "empty", expected: 0, storable: true, one: true},
		{name: "empty, unknown", expected: -1, storable: true, one: true},
		{name: "one byte", size: 1, chunk: 1, expected: 1, storable: true, one: true},
		{name: "small, known", size: 1000, chunk: 100, expected: 1000, storable: true, one: true},
		{name: "small, unknown", size: 1000, chunk: 100, expected: -1, storable: true, one: true},
		{name: "several segments, unknown", size: 60000, chunk: 7000, expected: -1, storable: true, one: true},
		{name: "medium, known", size: 65536, chunk: 65536, expected: 65536, storable: true, one: true},
		{name: "joined, unknown", size: 131072, chunk: 50000, expected: -1, storable: true, one: true},
		{name: "large, known", size: 150000, chunk: 50000, expected: 150000, storable: true},
		{name: "large, unknown", size: 150000, chunk: 50000, expected: -1, storable: true},
		{name: "longer than expected", size: 5000, chunk: 999, expected: 100, storable: true, one: true},
		{name: "shorter than expected", size: 100, chunk: 50, expected: 5000, storable: true, one: true},
		{name: "a part", size: 5000, chunk: 999, start: 12345, expected: 5000, storable: true},
		{name: "at the limit, known", size: 131072, chunk: 9999, expected: 131072, max: 1 << 20, storable: true, one: true},
		{name: "at the limit, unknown", size: 131072, chunk: 9999, expected: -1, max: 1 << 20, storable: true, one: true},
		{name: "one byte over, unknown", size: 131073, chunk: 9999, expected: -1, max: 1 << 20},
		{name: "one byte over, known", size: 131073, chunk: 9999, expected: 131073, max: 1 << 20},
		{name: "window by budget", size: 150000, chunk: 999, expected: -1, fills: 50000},
		{name: "window without any budget", size: 150000, chunk: 999, expected: -1, fills: 1},
		{name: "cut", size: 70000, chunk: 999, expected: 100000, err: errCut},
		{name: "cut at once", expected: 100000, err: errCut},
		{name: "cut window", size: 200000, chunk: 999, expected: -1, max: 1 << 20, err: errCut},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, cache.Options{MaxBytes: tc.max, MaxFillBytes: tc.fills})
				f := s.NewFill(cache.FillOptions{Start: tc.start, Expected: tc.expected})
				var wg sync.WaitGroup
				for i := range 3 {
					r := reader(t, f, tc.start)
					wg.Go(func() {
						defer r.Close()
						got, err := readAll(r)
						want := tc.err
						if want == nil {
							want = io.EOF
						}
						if err != want || !bytes.Equal(got, text[:tc.size]) {
							t.Errorf("reader %d got %d bytes and %v; want %d and %v", i, len(got), err, tc.size, want)
						}
					})
				}
				if err := write(f, text[:tc.size], max(tc.chunk, 1)); err != nil {
					t.Error("write:", err)
				}
				if tc.err == nil {
					if b, err := f.Buffer(); err != nil || len(b) == 0 { // where the writer finds the end
						t.Errorf("Buffer at the end = %d bytes, %v", len(b), err)
					}
				}
				f.Close(tc.err)
				wg.Wait()
				body, ok := f.Body()
				if ok != tc.storable || f.Storable() != tc.storable {
					t.Fatalf("Body = %t, Storable = %t; want %t", ok, f.Storable(), tc.storable)
				}
				noFills(t, s)
				if !ok {
					return
				}
				end := tc.start + int64(tc.size)
				if got := bytes.Join(body.AppendBuffers(nil, tc.start, end), nil); !bytes.Equal(got, text[:tc.size]) || body.Held() != int64(tc.size) {
					t.Errorf("body has %d bytes, %v; want the %d written", body.Held(), body.Spans(), tc.size)
				}
				if b, one := body.Bytes(); one != tc.one || one && cap(b) > len(b)+len(b)/7 {
					t.Errorf("body is one slice: %t, of %d bytes with room for %d; want %t", one, len(b), cap(b), tc.one)
				}
			})
		})
	}
}

// Bytes are there for readers as soon as Advance was called.
func TestFill_Streams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, cache.Options{})
		f := s.NewFill(cache.FillOptions{Expected: -1})
		r := reader(t, f, 0)
		got := make(chan string)
		go func() {
			for {
				b, err := r.Next()
				if err != nil {
					close(got)
					return
				}
				got <- string(b)
			}
		}()
		for _, word := range []string{"long", "poll", "answers"} {
			synctest.Wait() // the reader is blocked
			if r.Available() != 0 {
				t.Error("bytes available before they came")
			}
			time.Sleep(time.Minute)
			write(f, []byte(word), 100)
			if g := <-got; g != word {
				t.Errorf("read %q; want %q at once", g, word)
			}
		}
		f.Close(nil)
		if _, open := <-got; open {
			t.Error("more bytes after the end")
		}
		if _, err := f.Buffer(); err != cache.ErrClosed {
			t.Errorf("Buffer after Close = %v; want %v", err, cache.ErrClosed)
		}
		r.Close()
		r.Close()
		noFills(t, s)
	})
}

func TestFill_Readers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, cache.Options{})
		f := s.NewFill(cache.FillOptions{Start: 100, Expected: 1000})
		if _, ok := f.NewReader(99); ok {
			t.Error("NewReader before Start = true; want false")
		}
		early := reader(t, f, 600) // bytes that have not come yet
		write(f, text[:200], 200)
		late := reader(t, f, 150)
		if b, err := late.Next(); err != nil || !bytes.Equal(b, text[50:200]) {
			t.Errorf("late reader got %d bytes, %v; want 150", len(b), err)
		}
		if late.Offset() != 300 || f.End() != 300 {
			t.Errorf("offset = %d, end = %d; want 300", late.Offset(), f.End())
		}
		write(f, text[200:1000], 7)
		f.Close(nil)
		if b, err := early.Next(); err != nil || !bytes.Equal(b, text[500:1000]) {
			t.Errorf("early reader got %d bytes, %v; want 500", len(b), err)
		}
		late.Close()
		early.Close()
		noFills(t, s)
		again := reader(t, f, 100) // until it is found in the store
		if b, err := readAll(again); err != io.EOF || !bytes.Equal(b, text[:1000]) {
			t.Errorf("reader after the end got %d bytes, %v; want 1000", len(b), err)
		}
		again.Close()
		noFills(t, s)
	})
}

func TestFill_NoReaderAfterCut(t *testing.T) {
	s := open(t, cache.Options{})
	f := s.NewFill(cache.FillOptions{Expected: -1})
	write(f, text[:10], 10)
	f.Close(errCut)
	f.Close(nil)
	if _, ok := f.NewReader(0); ok {
		t.Error("NewReader of a cut fill = true; want false")
	}
	noFills(t, s)
}

func TestFill_Abandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, cache.Options{MaxBytes: 1 << 20})
		calls := 0
		f := s.NewFill(cache.FillOptions{Expected: 1 << 30, OnAbandon: func() { calls++ }})
		blocked := make(chan error)
		go func() { blocked <- write(f, make([]byte, 1<<20), 1<<20) }()
		synctest.Wait() // nobody reads: the window is full
		one, two := reader(t, f, 0), reader(t, f, 0)
		one.Close()
		if calls != 0 {
			t.Error("abandoned while a reader was left")
		}
		two.Close()
		two.Close()
		if err := <-blocked; err != cache.ErrAbandoned || calls != 1 {
			t.Errorf("write = %v after %d calls of OnAbandon; want %v, 1", err, calls, cache.ErrAbandoned)
		}
		if _, ok := f.NewReader(0); ok || f.Storable() {
			t.Error("an abandoned fill takes readers or can be stored")
		}
		f.Close(errCut)
		noFills(t, s)

		done := s.NewFill(cache.FillOptions{OnAbandon: func() { calls++ }})
		r := reader(t, done, 0)
		done.Close(nil)
		if r.Close(); calls != 1 {
			t.Error("OnAbandon was called for a fill that was complete")
		}
	})
}

func TestFillReader_Cancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, cache.Options{})
		f := s.NewFill(cache.FillOptions{Expected: -1})
		r, other := reader(t, f, 0), reader(t, f, 0)
		failed := make(chan error)
		go func() {
			_, err := r.Next()
			failed <- err
		}()
		synctest.Wait()
		r.Cancel()
		r.Cancel()
		if err := <-failed; err != cache.ErrCanceled {
			t.Errorf("Next = %v; want %v", err, cache.ErrCanceled)
		}
		write(f, text[:10], 10)
		if _, err := r.Next(); err != cache.ErrCanceled {
			t.Errorf("Next with bytes there = %v; want %v", err, cache.ErrCanceled)
		}
		r.Close()
		if b, err := other.Next(); err != nil || len(b) != 10 {
			t.Errorf("the other reader got %d bytes, %v; want 10", len(b), err)
		}
		f.Close(nil)
		other.Close()
		noFills(t, s)
	})
}

// A window holds little, whatever the length, and goes as fast as its slowest reader.
func TestFill_Window(t *testing.T) {
	for _, budget := range []int64{0, 100 << 10, 1} {
		synctest.Test(t, func(t *testing.T) {
			s := open(t, cache.Options{MaxBytes: 1 << 20, MaxFillBytes: budget})
			f := s.NewFill(cache.FillOptions{Expected: -1})
			r := reader(t, f, 0)
			const size = 4 << 20
			wrote := make(chan error)
			go func() {
				err := write(f, bytes.Repeat(text[:1<<10], size>>10), 4096)
				f.Close(err)
				wrote <- err
			}()
			most, total := int64(0), 0
			for i := 0; ; i++ {
				synctest.Wait()
				most = max(most, s.Stats().FillBytes)
				if i == 50 {
					if _, ok := f.NewReader(0); ok || f.Storable() {
						t.Error("bytes that were dropped can be read, or stored")
					}
					late := reader(t, f, r.Offset())
					late.Close()
				}
				b, err := r.Next()
				if err != nil {
					if err != io.EOF || total != size {
						t.Errorf("read %d bytes and %v; want %d", total, err, size)
					}
					break
				}
				if !bytes.Equal(b[:min(len(b), 100)], bytes.Repeat(text[:1<<10], 2)[total%1024:][:min(len(b), 100)]) {
					t.Fatalf("wrong bytes at %d", total)
				}
				total += len(b)
			}
			if err := <-wrote; err != nil {
				t.Error("write:", err)
			}
			// Until it turns into a window the fill may hold an object; afterwards 256 KiB, or 32 KiB beyond the budget.
			if limit := int64(256 << 10); most > limit || budget > 0 && most > budget+48<<10 {
				t.Errorf("held up to %d bytes with a budget of %d; want at most %d", most, budget, limit)
			}
			r.Close()
			noFills(t, s)
		})
	}
}

// One goroutine that writes and reads in turn never blocks itself.
func TestFill_AloneNeverBlocks(t *testing.T) {
	for _, budget := range []int64{0, 300 << 10, 40 << 10, 1} {
		for _, chunk := range []int{100, 5000, 1 << 20} {
			synctest.Test(t, func(t *testing.T) { // a deadlock would fail here
				s := open(t, cache.Options{MaxBytes: 4 << 20, MaxFillBytes: budget})
				f := s.NewFill(cache.FillOptions{Expected: -1})
				r := reader(t, f, 0)
				size := min(8<<20, chunk*2000)
				for left := size; left > 0; {
					p, err := f.Buffer()
					if err != nil {
						t.Fatal(err)
					}
					n := min(len(p), left, chunk)
					f.Advance(n)
					left -= n
					if b, err := r.Next(); err != nil || len(b) != n {
						t.Fatalf("Next = %d bytes, %v; want %d", len(b), err, n)
					}
				}
				f.Close(nil)
				r.Close()
				noFills(t, s)
			})
		}
	}
}

// A reader that hardly reads holds the others back for a while only; one that has nobody to hold back may take its time.
func TestFill_Laggards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, cache.Options{MaxBytes: 1 << 20})
		f := s.NewFill(cache.FillOptions{Expected: 2 << 20, Patience: 10 * time.Second})
		slow, fast := reader(t, f, 0), reader(t, f, 0)
		write(f, []byte("x"), 1)
		held, err := slow.Next()
		if err != nil {
			t.Fatal(err)
		}
		want := bytes.Clone(held)
		go func() { f.Close(write(f, bytes.Repeat(text[:1<<10], 2<<10), 1<<10)) }()
		start := time.Now()
		got, err := readAll(fast)
		if err != io.EOF || len(got) != 2<<20+1 || time.Since(start) != 10*time.Second {
			t.Errorf("the fast reader got %d bytes and %v after %v; want all after 10s", len(got), err, time.Since(start))
		}
		if !bytes.Equal(held, want) {
			t.Error("what the dropped reader was given has changed")
		}
		if _, err := slow.Next(); err != cache.ErrLagging {
			t.Errorf("Next of the slow reader = %v; want %v", err, cache.ErrLagging)
		}
		slow.Close()
		fast.Close()
		noFills(t, s)
	})
	synctest.Test(t, func(t *testing.T) {
		s := open(t, cache.Options{MaxBytes: 1 << 20})
		f := s.NewFill(cache.FillOptions{Expected: 2 << 20})
		r := reader(t, f, 0)
		go func() { f.Close(write(f, make([]byte, 2<<20), 1<<10)) }()
		total := 0
		for {
			time.Sleep(time.Hour)
			b, err := r.Next()
			if err != nil {
				break
			}
			total += len(b)
		}
		if total != 2<<20 {
			t.Errorf("a slow lone reader got %d bytes; want all", total)
		}
		r.Close()
		noFills(t, s)
	})
}

// Many fills with many readers in real time, for the race detector; the budget is kept.
func TestFill_Concurrency(t *testing.T) {
	s := open(t, cache.Options{MaxBytes: 8 << 20, MaxFillBytes: 600 << 10})
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 9))
			size := r.IntN(len(text))
			f := s.NewFill(cache.FillOptions{Expected: int64(size) - int64(i%2)*int64(size+1)})
			for n := range 4 {
				rd, ok := f.NewReader(int64(n * 10))
				if !ok {
					t.Error("NewReader at the start = false")
					continue
				}
				wg.Go(func() {
					defer rd.Close()
					if n == 3 && i%3 == 0 {
						rd.Next()
						return
					}
					got, err := readAll(rd)
					if err != io.EOF || !bytes.Equal(got, text[min(n*10, size):size]) {
						t.Errorf("reader %d of fill %d got %d bytes and %v; want %d", n, i, len(got), err, size)
					}
				})
			}
			f.Close(write(f, text[:size], 1+r.IntN(20000)))
			if b, ok := f.Body(); ok {
				put(t, s, &cache.Entry[meta]{Key: fmt.Sprint(i), Body: b, Length: int64(size)})
			}
			if st := s.Stats(); st.FillBytes > st.MaxFillBytes+st.Fills*(48<<10) {
				t.Errorf("%d bytes for %d fills; bound %d", st.FillBytes, st.Fills, st.MaxFillBytes)
			}
		})
	}
	wg.Wait()
	noFills(t, s)
	s.Range(func(e *cache.Entry[meta]) bool {
		if got := bytes.Join(e.Body.AppendBuffers(nil, 0, e.Length), nil); !bytes.Equal(got, text[:e.Length]) {
			t.Errorf("stored body %q differs", e.Key)
		}
		return true
	})
}
