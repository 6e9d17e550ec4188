package cache

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestArena_Classes(t *testing.T) {
	if a := newArena(8 << 20); a != nil || a.reserve() != 0 || a.bytes() != 0 {
		t.Error("a store of 8 MiB has an arena")
	}
	for _, max := range []int64{16 << 20, 64 << 20, 1 << 30, 1 << 40} {
		a := newArena(max)
		if a.reserve() > max/10 {
			t.Errorf("%d bytes: the arena may keep %d in reserve; want at most a tenth", max, a.reserve())
		}
		for n := 1; n <= a.limit; n++ {
			c := &a.classes[a.classOf(n)]
			if c.size < n || n > minSlot && c.size > n+n/8+slotStep {
				t.Fatalf("%d bytes: %d bytes lie in a slot of %d", max, n, c.size)
			}
			if charge := a.charge(n); charge < int64(c.size) || charge > int64(n+n/4+2*minSlot) {
				t.Fatalf("%d bytes: %d bytes are charged %d", max, n, charge)
			}
		}
	}
}

// Slots that are in use never overlap, whatever is taken and given back.
func TestArena_SlotsAreApart(t *testing.T) {
	a := newArena(16 << 20)
	r := rand.New(rand.NewPCG(1, 2))
	type record struct {
		at    ref
		bytes []byte
	}
	var list []record
	for step := range 60000 {
		if grow := step/6000%2 == 0; r.IntN(10) < 3 == grow && len(list) > 0 {
			i := r.IntN(len(list))
			if got := a.at(list[i].at)[:len(list[i].bytes)]; !bytes.Equal(got, list[i].bytes) {
				t.Fatalf("step %d: a slot holds something else than was written", step)
			}
			a.give(list[i].at)
			list[i] = list[len(list)-1]
			list = list[:len(list)-1]
			continue
		}
		b := make([]byte, 1+r.IntN(a.limit))
		for i := range b {
			b[i] = byte(step)
		}
		at, slot := a.take(len(b), uint32(step))
		copy(slot, b)
		list = append(list, record{at, b})
	}
	for _, rec := range list {
		a.give(rec.at)
	}
	if most := a.reserve(); a.bytes() > most {
		t.Errorf("an empty arena keeps %d bytes; want at most %d", a.bytes(), most)
	}
}

// What is emptied is the chunk with the fewest records, and it is given back when they have left.
func TestArena_ClearOut(t *testing.T) {
	a := newArena(16 << 20)
	class := a.classOf(1000)
	c := &a.classes[class]
	var all []ref
	for i := range 3 * c.per {
		at, _ := a.take(1000, uint32(i))
		all = append(all, at)
	}
	if list := a.clearOut(class); list != nil {
		t.Fatalf("a full class was to be emptied: %v", list)
	}
	for i := range c.per {
		if i > 0 {
			a.give(all[i]) // one stays in the first chunk
		}
		if i%3 == 0 {
			a.give(all[c.per+i])
		}
	}
	list := a.clearOut(class)
	if len(list) != 1 || list[0].at != all[0] || list[0].owner != 0 {
		t.Fatalf("emptied %v; want the single record of the first chunk", list)
	}
	if at, _ := a.take(1000, 7); at.chunk() == all[0].chunk() {
		t.Error("a slot of a chunk that is being emptied was given out")
	}
	before := a.bytes()
	a.give(all[0])
	if got := before - a.bytes(); got != int64(a.chunkBytes) {
		t.Errorf("the empty chunk gave back %d bytes; want %d", got, a.chunkBytes)
	}
}

// A store whose records are of another size every time keeps what it holds in few chunks, and finds it.
func TestStore_TidiesUp(t *testing.T) {
	s, err := New(Options{MaxBytes: 16 << 20}, Codec[string]{
		Append: func(b []byte, m *string) []byte { return append(b, *m...) },
		Parse:  func(text string, m *string) { *m = text },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for round := range 12 {
		size := 60 + 100*round
		for i := range 8000 {
			body := bytes.Repeat([]byte{byte(round)}, size+i%7)
			e := &Entry[string]{Key: fmt.Sprint(i), Meta: fmt.Sprint("m", i), Body: NewBody(body), Length: int64(len(body))}
			if ok, why := s.Put(e, s.Epoch(e.Key)); !ok {
				t.Fatal(why)
			}
			if i%3 == 0 {
				s.Invalidate(fmt.Sprint(i / 2))
			}
		}
		if err := s.Audit(); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		s.Range(func(e *Entry[string]) bool {
			b, _ := e.Body.Bytes()
			if e.Meta != "m"+e.Key || len(bytes.Trim(b, string(b[:1]))) != 0 {
				t.Fatalf("entry %q is %q with body %x", e.Key, e.Meta, b)
			}
			return true
		})
	}
	if s.Stats().Entries < 500 {
		t.Errorf("%d entries are left; want a full store", s.Stats().Entries)
	}
}
