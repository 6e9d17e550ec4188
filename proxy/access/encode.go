package access

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"time"
)

// maxLine is the longest line, its end included. The limits below leave room for names, numbers and addresses.
const maxLine = 8 << 10

// The most bytes that a value takes after escaping.
const (
	limitURL    = 4096
	limitRef    = 1024 // Referer
	limitLong   = 512  // structured fields, User-Agent
	limitName   = 256  // host names, rules
	limitMiddle = 128  // users, reasons
	limitShort  = 32   // methods, versions
)

// encoder turns records into lines.
type encoder struct {
	format string
	strip  bool // leave queries out
	fields bool // entries for journald with the line as their message
	clock  stamp
}

// newEncoder returns the encoder of a format. It fails for an unknown one.
func newEncoder(format string, strip bool) (encoder, error) {
	e := encoder{format: format, strip: strip, clock: stamp{second: math.MinInt64}}
	switch format {
	case "":
		e.format = Text
	case Text, JSON, Squid, Combined:
	default:
		return e, fmt.Errorf("access log: %q is not a format", format)
	}
	return e, nil
}

// append appends the line of r, or its entry, and what it ends with to dst.
func (e *encoder) append(dst []byte, r *Record) []byte {
	if e.fields {
		return append(e.entry(dst, r), "\n\n"...)
	}
	return append(e.line(dst, r), '\n')
}

// room is the most bytes that append appends.
func (e *encoder) room() int {
	if e.fields {
		return 2 * maxLine
	}
	return maxLine
}

// line appends the line of r without its end.
func (e *encoder) line(dst []byte, r *Record) []byte {
	switch e.format {
	case JSON:
		return e.json(dst, r)
	case Squid:
		return e.squid(dst, r)
	case Combined:
		return e.combined(dst, r)
	}
	return e.text(dst, r)
}

// text is for people: nine columns, then name=value for what else is known.
func (e *encoder) text(dst []byte, r *Record) []byte {
	dst = e.clock.append(dst, r.Time, "2006-01-02T15:04:05", "Z07:00", true)
	dst = append(dst, ' ')
	dst = appendAddr(dst, r.Client)
	dst = append(dst, ' ')
	dst = appendWord(dst, r.Method, limitShort)
	dst = append(dst, ' ')
	dst = e.url(dst, r.URL, styleBare, limitURL)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, int64(r.Status), 10)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, r.BytesOut, 10)
	dst = append(dst, ' ')
	dst = appendMillis(dst, r.Duration)
	dst = append(dst, "ms "...)
	dst = appendWord(dst, string(r.Decision), limitShort)
	dst = append(dst, ' ')
	dst = appendWord(dst, r.Reason, limitMiddle)
	if r.Origin.IsValid() {
		dst = append(dst, " origin="...)
		dst = appendAddr(dst, r.Origin)
	}
	dst = appendPair(dst, " parent=", r.Parent, limitName)
	if r.BytesIn != 0 {
		dst = append(dst, " in="...)
		dst = strconv.AppendInt(dst, r.BytesIn, 10)
	}
	dst = appendPair(dst, " user=", r.User, limitMiddle)
	dst = appendPair(dst, " rule=", r.Rule, limitName)
	dst = appendPair(dst, " reported=", r.Reported, limitName)
	dst = appendPair(dst, " kind=", r.Kind, limitShort)
	dst = appendPair(dst, " sni=", r.SNI, limitName)
	dst = appendPair(dst, " cause=", r.Cause, limitMiddle)
	return appendPair(dst, " proxy-status=", r.ProxyStatus, limitLong)
}

// appendPair appends a name and its value, or nothing when that is empty.
func appendPair(dst []byte, name, value string, limit int) []byte {
	if value == "" {
		return dst
	}
	return appendWord(append(dst, name...), value, limit)
}

// json is one object; members without a value are left out.
func (e *encoder) json(dst []byte, r *Record) []byte {
	dst = append(dst, `{"time":"`...)
	dst = e.clock.append(dst, r.Time, "2006-01-02T15:04:05", "Z07:00", true)
	dst = append(dst, `","client":"`...)
	dst = appendAddr(dst, r.Client)
	dst = append(dst, '"')
	dst = appendMember(dst, `,"user":"`, r.User, limitMiddle)
	dst = appendMember(dst, `,"method":"`, r.Method, limitShort)
	dst = append(dst, `,"url":"`...)
	dst = e.url(dst, r.URL, styleJSON, limitURL)
	dst = append(dst, '"')
	dst = appendMember(dst, `,"proto":"`, r.Proto, limitShort)
	dst = append(dst, `,"status":`...)
	dst = strconv.AppendInt(dst, int64(r.Status), 10)
	dst = append(dst, `,"in":`...)
	dst = strconv.AppendInt(dst, r.BytesIn, 10)
	dst = append(dst, `,"out":`...)
	dst = strconv.AppendInt(dst, r.BytesOut, 10)
	dst = append(dst, `,"duration_ms":`...)
	dst = appendMillis(dst, r.Duration)
	dst = appendMember(dst, `,"decision":"`, string(r.Decision), limitShort)
	dst = appendMember(dst, `,"reason":"`, r.Reason, limitMiddle)
	dst = appendMember(dst, `,"cache_status":"`, r.CacheStatus, limitLong)
	dst = appendMember(dst, `,"proxy_status":"`, r.ProxyStatus, limitLong)
	if r.Origin.IsValid() {
		dst = append(dst, `,"origin":"`...)
		dst = appendAddr(dst, r.Origin)
		dst = append(dst, '"')
	}
	dst = appendMember(dst, `,"parent":"`, r.Parent, limitName)
	dst = appendMember(dst, `,"rule":"`, r.Rule, limitName)
	dst = appendMember(dst, `,"reported":"`, r.Reported, limitName)
	dst = appendMember(dst, `,"kind":"`, r.Kind, limitShort)
	dst = appendMember(dst, `,"sni":"`, r.SNI, limitName)
	dst = appendMember(dst, `,"cause":"`, r.Cause, limitMiddle)
	return append(dst, '}')
}

// appendMember appends a member of an object; name ends with the quote that opens the value.
func appendMember(dst []byte, name, value string, limit int) []byte {
	if value == "" {
		return dst
	}
	dst = appendEscaped(append(dst, name...), value, styleJSON, limit)
	return append(dst, '"')
}

// url appends what may be shown of a URL.
func (e *encoder) url(dst []byte, url string, how style, limit int) []byte {
	front, back := shown(url, e.strip)
	if front == "" && back == "" {
		return append(dst, '-')
	}
	front = front[:min(len(front), limitShort)]
	dst = appendEscaped(dst, front, how, limitName)
	return appendEscaped(dst, back, how, limit-limitName)
}

// appendAddr appends an address without its zone, whose name could be anything.
func appendAddr(dst []byte, a netip.AddrPort) []byte {
	if !a.IsValid() {
		return append(dst, '-')
	}
	return netip.AddrPortFrom(a.Addr().WithZone(""), a.Port()).AppendTo(dst)
}

// appendMillis appends a duration in milliseconds with three decimals.
func appendMillis(dst []byte, d time.Duration) []byte {
	us := max(d.Microseconds(), 0)
	dst = strconv.AppendInt(dst, us/1000, 10)
	return appendThree(append(dst, '.'), int(us%1000))
}

// appendThree appends a number below 1000 with leading zeros.
func appendThree(dst []byte, n int) []byte {
	return append(dst, '0'+byte(n/100), '0'+byte(n/10%10), '0'+byte(n%10))
}

// stamp formats times and remembers the last second, since most records share it with the one before.
type stamp struct {
	second     int64
	text, zone []byte
}

// append appends t: layout, milliseconds if millis is set, zone. A stamp is always used with the same layouts.
func (s *stamp) append(dst []byte, t time.Time, layout, zone string, millis bool) []byte {
	if second := t.Unix(); second != s.second {
		s.second = second
		s.text = t.AppendFormat(s.text[:0], layout)
		s.zone = t.AppendFormat(s.zone[:0], zone)
	}
	dst = append(dst, s.text...)
	if millis {
		dst = appendThree(append(dst, '.'), t.Nanosecond()/1e6)
	}
	return append(dst, s.zone...)
}
