package freshness

import (
	"net/http"
	"reflect"
	"testing"
	"time"
)

// A response that was kept by a cache is the same for every decision.
func TestReadResponse_RoundTrip(t *testing.T) {
	base := time.Now()
	for _, h := range []http.Header{
		{},
		{"Cache-Control": {"max-age=60, stale-while-revalidate=30, stale-if-error=0, must-revalidate"}, "Age": {"12"}, "Date": {"Sun, 06 Nov 1994 08:49:37 GMT"}},
		{"Cache-Control": {`no-cache="a, b", private="c", public, immutable`}, "Etag": {`"x"`}},
		{"Cache-Control": {`s-maxage=999999999999, no-store, must-understand, no-transform, proxy-revalidate`}},
		{"Cache-Control": {`"`}, "Last-Modified": {"Sun, 06 Nov 1994 08:49:37 GMT"}},
		{"Expires": {"Thu, 01 Dec 2033 16:00:00 GMT"}, "Date": {"Thu, 01 Dec 2033 16:00:00 GMT"}},
	} {
		now := base.Add(1234567 * time.Nanosecond)
		r := ParseResponse(&Policy{MaxStaleOnError: time.Hour}, 203, h, base, now)
		r.Authorized, r.SelfLocated, r.Cookied, r.Impersonal = true, len(h) > 1, len(h) > 2, len(h) > 0
		if len(h) != 1 {
			r = r.Override(nil, Override{Max: Delta{time.Second, true}, Min: time.Hour, Ignore: 127}, 0x1234, h)
			r.ruled.refusal = ReasonPrivate
		}
		got := ReadResponse(string(r.Append(nil, base)), base)
		if !got.Moment().Equal(r.Received) || !got.Received.Equal(r.Received) {
			t.Errorf("%v: received %v, %v; want %v", h, got.Received, got.Moment(), r.Received)
		}
		for _, later := range []time.Duration{0, time.Second, time.Hour, -time.Second, -time.Hour} {
			if a, b := got.Age(now.Add(later)), r.Age(now.Add(later)); a != b {
				t.Errorf("%v: age after %v = %v; want %v", h, later, a, b)
			}
		}
		got.Received, got.steady = r.Received, r.steady
		if !reflect.DeepEqual(got, r) {
			t.Errorf("%v:\n got %+v\nwant %+v", h, got, r)
		}
	}
}

// Every field of Response is in its stored form: one that is added later must be, too.
func TestResponse_AppendIsComplete(t *testing.T) {
	base := time.Now()
	var r Response
	v := reflect.ValueOf(&r).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		r = Response{Received: base}
		before := string(r.Append(nil, base))
		change(t, &r, name)
		if after := string(r.Append(nil, base)); after == before {
			t.Errorf("the stored form does not know %s", name)
		}
	}
}

// change sets a field to something that is not zero.
func change(t *testing.T, r *Response, name string) {
	switch name { // what reflection may not set
	case "steady":
		r.steady = time.Now().Add(time.Hour)
		return
	case "staleOnError":
		r.staleOnError = 1
		return
	case "withheld":
		r.withheld = "a,"
		return
	case "ruled":
		r.ruled.rule = 1
		return
	case "refusal":
		r.refusal = 1
		return
	}
	f := reflect.ValueOf(r).Elem().FieldByName(name)
	if !f.CanSet() {
		t.Fatalf("field %s is new: let this test set it", name)
	}
	switch p := f.Addr().Interface().(type) {
	case *bool:
		*p = true
	case *int:
		*p = 299
	case *time.Duration:
		*p = 1
	case *time.Time:
		*p = p.Add(time.Hour)
	case *Delta:
		*p = Delta{Value: 1}
	case *Source:
		*p = 1
	default:
		t.Fatalf("field %s has a type that this test does not know", name)
	}
}

// The wall clock may jump between a response's receipt and now, or have jumped since base; only the age by the clock that
// says more counts (RFC 9111 §4.2.3).
func TestReadResponse_ClockJumps(t *testing.T) {
	base := time.Now()
	r := Response{Received: base.Add(time.Minute)}
	kept := r.Append(nil, base)
	got := ReadResponse(string(kept), base)
	if age := got.Age(base.Add(2 * time.Minute)); age != time.Minute {
		t.Errorf("age = %v; want 1m", age)
	}
	asleep := base.Add(2 * time.Minute).Round(0).Add(time.Hour) // a wall clock that went on while the machine slept
	if age := got.Age(asleep); age != time.Hour+time.Minute {
		t.Errorf("age after a sleep = %v; want 1h1m", age)
	}
}
