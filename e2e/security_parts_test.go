package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// TestPartsOfOthers: parts are only put together when a strong validator says
// that they belong together, and a part that was not asked for, lies about its
// place, or brings more than it says, is no part of the whole (B7, C10, R3).
func TestPartsOfOthers(t *testing.T) {
	t.Parallel()
	const old, current = "aaaaaaaaaa", "bbbbbbbbbb"
	o := startOrigin(t, func(x *origin.Exchange) {
		version, tag := x.Req.Fields.Get("X-Version"), x.Req.Fields.Get("X-Tag")
		fs := fresh("ETag", tag)
		if tag == "" {
			fs = fresh()
		}
		switch part := x.Req.Fields.Get("X-Part"); {
		case part != "":
			span, body, _ := strings.Cut(part, "=")
			x.Reply("206 Partial Content", append(fs, rawhttp.F("Content-Range", "bytes "+span)...), body)
		case version == "old":
			x.Reply("200 OK", fs, old)
		default:
			x.Reply("200 OK", fs, current)
		}
	})
	part := func(span, body, tag string) rawhttp.Fields {
		first, rest, _ := strings.Cut(span, "-")
		last, _, _ := strings.Cut(rest, "/")
		return rawhttp.F("Range", "bytes="+first+"-"+last, "X-Part", span+"="+body, "X-Tag", tag)
	}
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		for i, asks := range [][]rawhttp.Fields{
			{part("0-4/10", "aaaaa", ""), part("5-9/10", "bbbbb", "")},            // nothing says that they are of one
			{part("0-4/10", "aaaaa", `W/"1"`), part("5-9/10", "bbbbb", `W/"1"`)},  // a weak validator does not
			{part("0-4/10", "aaaaa", `"1"`), part("5-9/10", "bbbbb", `"2"`)},      // of two versions
			{part("0-4/10", "aaaaa", `"1"`), part("5-9/11", "bbbbb", `"1"`)},      // of two lengths
			{part("0-4/10", "aaaaa", `"1"`), part("5-9/10", "bbbbbbbbbb", `"3"`)}, // more than it says
			{part("0-9/10", "aaaaa", "")},                                         // less than it says
			{part("0-9/5", "aaaaaaaaaa", "")}, {part("9-0/10", "aaaaaaaaaa", "")}, // nonsense
			{part("0-9/*", "aaaaaaaaaa", "")}, {part("0-9/-1", "aaaaaaaaaa", "")}, // no length
			{part("0-99999999999999999999/100000000000000000000", "aaaaaaaaaa", "")}, // no number
		} {
			path := fmt.Sprintf("/%s/%d", w.name, i)
			for _, fs := range asks {
				_, _ = w.once(o.Addr(), "GET", path, fs)
			}
			for range 2 {
				resp, err := w.once(o.Addr(), "GET", path, nil)
				if err != nil || resp.Err != nil || resp.Code != 200 || string(resp.Body) != current {
					t.Errorf("%d: the whole is %v, %v; want the origin's", i, resp, err)
				}
			}
		}
	})
}

// TestMethodIsPartOfTheQuestion: methods are names of their own, whatever their
// case, and no answer to one is that to another (A14, C6).
func TestMethodIsPartOfTheQuestion(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK(x.Req.Method) })
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		for _, first := range []string{"get", "Get", "QUERY", "OPTIONS", "PROPFIND", "TRACE", "SEARCH", "GETS", "GE", "M-GET"} {
			path := "/" + w.name + "/" + first
			for range 2 {
				if resp := w.do(t, first, o.Addr(), path, nil, ""); string(resp.Body) != first && resp.Code != 400 {
					t.Errorf("%s got %v; want its own answer", first, resp)
				}
				if resp := w.do(t, "GET", o.Addr(), path, nil, ""); string(resp.Body) != "GET" {
					t.Errorf("GET after %s got %v", first, resp)
				}
			}
		}
	})
}

// TestNominated: what must not be nominated in Connection is not taken out of
// the message by it (C2).
func TestNominated(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		body, err := x.ReadBody()
		if err != nil {
			x.Close()
			return
		}
		x.Reply("200 OK", nil, string(body))
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		for i, name := range []string{"Host", "host", "Content-Length", "Transfer-Encoding", "Via", "Cache-Control, Host", "close, Content-Length"} {
			for framing, body := range map[string]string{"Content-Length: 4": "body", "Transfer-Encoding: chunked": "4\r\nbody\r\n0\r\n\r\n"} {
				before := len(o.Requests())
				c := w.dial(t, o.Addr())
				send(t, c, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nConnection: %s\r\n%s\r\n\r\n%s", w.target(o.Addr(), fmt.Sprint("/", w.name, i)), o.Addr(), name, framing, body))
				resp, err := c.ReadResponse("POST")
				if err != nil || resp.Code != 400 && (resp.Code != 200 || string(resp.Body) != "body") {
					t.Errorf("%s, %s: got %v, %v; want the body at the origin, or 400", name, framing, resp, err)
				}
				if got := o.Requests()[before:]; len(got) == 1 && (got[0].Fields.Get("Host") != o.Addr() || !got[0].Fields.Has("Via")) {
					t.Errorf("%s: origin got %q", name, got[0].Raw)
				}
				c.Close()
			}
		}
	})
}
