package proxy

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/jayproxy/jay/freshness"
	"github.com/jayproxy/jay/validation"
)

// FuzzCodec: what is stored comes back as it was.
func FuzzCodec(f *testing.F) {
	f.Add(200, "OK", "Content-Type: text/plain\r\n", `"x"`, "bytes=0-1", int64(0), int64(2), []byte{10, 0, 0, 1, 80, 0}, "accept\x00gzip", byte(7))
	f.Add(206, "OK", "A: b\r\n", "", "", int64(80), int64(-1<<63), append(netip.MustParseAddr("fe80::1").AsSlice(), "eth0"...), "", byte(4))
	f.Add(299, "", "", "", "", int64(-1), int64(1<<40), []byte(nil), "", byte(0))
	base := time.Now()
	f.Fuzz(func(t *testing.T, status int, reason, lines, gap, asked string, start, end int64, addr []byte, selects string, flags byte) {
		m := stored{
			fresh:    freshness.Response{Status: int(uint16(status)), Lifetime: time.Duration(start), Received: base},
			criteria: uint32(end), reason: reason, lines: lines, gap: gap, asked: asked, answered: validation.Span{Start: start, End: end},
			selects: selection(selects),
			indexed: flags&1 != 0, withholds: flags&2 != 0, restricted: flags&4 != 0, parented: flags&8 != 0,
		}
		if a, ok := netip.AddrFromSlice(addr[:min(len(addr), 4)]); ok {
			m.addr = netip.AddrPortFrom(a, uint16(start))
		}
		if a, ok := netip.AddrFromSlice(addr[:min(len(addr), 16)]); ok && len(addr) >= 16 {
			m.addr = netip.AddrPortFrom(a.WithZone(string(addr[16:])), uint16(start))
		}
		c := codec(base)
		var got stored
		c.Parse(string(c.Append(nil, &m)), &got)
		if !got.fresh.Moment().Equal(base) {
			t.Errorf("received at %v; want %v", got.fresh.Moment(), base)
		}
		got.fresh = m.fresh
		if !reflect.DeepEqual(got, m) {
			t.Errorf("got %+v; want %+v", got, m)
		}
	})
}

// A record knows every field of what is stored.
func TestCodec_IsComplete(t *testing.T) {
	base := time.Now()
	full := stored{
		fresh: freshness.Response{Status: 200, Received: base}, criteria: 0x12345678, reason: "Fine", lines: "A: b\r\n", gap: `"x"`,
		selects: selection(appendText(appendText(nil, "accept"), "text/html")), asked: "bytes=0-", answered: validation.Span{Start: 1, End: 2},
		indexed: true, withholds: true, restricted: true, parented: true, addr: netip.MustParseAddrPort("[2001:db8::1]:443"),
	}
	v := reflect.ValueOf(full)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("field %s is new: give it a value here, and a place in the record", v.Type().Field(i).Name)
		}
	}
	c := codec(base)
	var got stored
	c.Parse(string(c.Append(nil, &full)), &got)
	got.fresh = full.fresh
	if !reflect.DeepEqual(got, full) {
		t.Errorf("got %+v; want %+v", got, full)
	}
}

func TestSelection_RFC9111_4_1(t *testing.T) {
	make := func(texts ...string) selection {
		var b []byte
		for _, s := range texts {
			b = appendText(b, s)
		}
		return selection(b)
	}
	a := make("accept", "text/html", "x", "\x00")
	for _, tc := range []struct {
		other selection
		want  bool
	}{
		{a, true}, {make("accept", "", "x", "1"), true}, {"", false}, {make("accept", ""), false}, {make("accept", "", "y", ""), false},
		{make("accept", "", "x", "", "z", ""), false},
	} {
		if got := a.likewise(tc.other); got != tc.want || tc.other.likewise(a) != tc.want {
			t.Errorf("likewise %q = %t; want %t", tc.other, got, tc.want)
		}
	}
	if !a.has([]string{"accept", "x"}) || a.has([]string{"accept"}) || !selection("").has(nil) {
		t.Errorf("names of %q = %q", a, a.names())
	}
}
