package access

import "strconv"

// squid is Squid's native format:
//
//	time.millis elapsed client code/status bytes method URL user hierarchy/origin type
//
// Words hold no spaces; what would break one is written as %hh. Bytes are those of the body.
func (e *encoder) squid(dst []byte, r *Record) []byte {
	dst = strconv.AppendInt(dst, r.Time.Unix(), 10)
	dst = appendThree(append(dst, '.'), r.Time.Nanosecond()/1e6)
	dst = append(dst, ' ')
	dst = appendPadded(dst, max(r.Duration.Milliseconds(), 0), 6)
	dst = append(dst, ' ')
	dst = appendIP(dst, r)
	dst = append(dst, ' ')
	dst = append(dst, resultCode(r)...)
	if r.Cause == "client-closed" && r.Kind == "" {
		dst = append(dst, "_ABORTED"...)
	}
	dst = appendThree(append(dst, '/'), min(max(r.Status, 0), 999))
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, r.BytesOut, 10)
	dst = append(dst, ' ')
	dst = appendBare(dst, r.Method, limitShort)
	dst = append(dst, ' ')
	dst = e.url(dst, r.URL, styleBare, limitURL)
	dst = append(dst, ' ')
	dst = appendBare(dst, r.User, limitMiddle)
	dst = append(dst, ' ')
	dst = appendHierarchy(dst, r)
	dst = append(dst, ' ')
	return appendBare(dst, r.ContentType, limitMiddle)
}

// resultCode is the word that Squid has for a decision.
func resultCode(r *Record) string {
	switch r.Decision {
	case Hit:
		if r.Status == 304 {
			return "TCP_IMS_HIT"
		}
		return "TCP_MEM_HIT"
	case Stale:
		return "TCP_STALE_HIT"
	case Revalidated:
		return "TCP_REFRESH_UNMODIFIED"
	case Updated:
		return "TCP_REFRESH_MODIFIED"
	case Collapsed:
		return "TCP_CF_HIT"
	case Miss, Pass:
		return "TCP_MISS"
	case Tunnel:
		return "TCP_TUNNEL"
	case Denied:
		return "TCP_DENIED"
	case Failed:
		if r.Status >= 500 {
			return "TCP_MISS"
		}
	}
	return "NONE_NONE"
}

// appendHierarchy appends how the origin was reached, and its address.
func appendHierarchy(dst []byte, r *Record) []byte {
	if !r.Origin.IsValid() {
		return append(dst, "HIER_NONE/-"...)
	}
	switch {
	case r.Parent != "":
		dst = append(dst, "FIRSTUP_PARENT/"...)
	case r.Kind == "intercept":
		dst = append(dst, "ORIGINAL_DST/"...)
	default:
		dst = append(dst, "HIER_DIRECT/"...)
	}
	return r.Origin.Addr().WithZone("").AppendTo(dst)
}

// combined is the combined format of Apache and nginx:
//
//	client - user [time] "method URL version" status bytes "referer" "user agent"
func (e *encoder) combined(dst []byte, r *Record) []byte {
	dst = appendIP(dst, r)
	dst = append(dst, " - "...)
	dst = appendBare(dst, r.User, limitMiddle)
	dst = append(dst, " ["...)
	dst = e.clock.append(dst, r.Time, "02/Jan/2006:15:04:05", " -0700", false)
	dst = append(dst, `] "`...)
	dst = appendBare(dst, r.Method, limitShort)
	dst = append(dst, ' ')
	dst = e.url(dst, r.URL, styleBare, limitURL)
	dst = append(dst, ' ')
	dst = appendBare(dst, r.Proto, limitShort)
	dst = append(dst, `" `...)
	dst = strconv.AppendInt(dst, int64(r.Status), 10)
	dst = append(dst, ' ')
	if r.BytesOut == 0 {
		dst = append(dst, '-')
	} else {
		dst = strconv.AppendInt(dst, r.BytesOut, 10)
	}
	dst = append(dst, ` "`...)
	dst = e.url(dst, r.Referer, styleQuoted, limitRef)
	dst = append(dst, `" "`...)
	if r.UserAgent == "" {
		dst = append(dst, '-')
	}
	dst = appendEscaped(dst, r.UserAgent, styleQuoted, limitLong)
	return append(dst, '"')
}

// appendIP appends the client's address without its port.
func appendIP(dst []byte, r *Record) []byte {
	if !r.Client.IsValid() {
		return append(dst, '-')
	}
	return r.Client.Addr().WithZone("").AppendTo(dst)
}

// appendBare appends s as one word without quotes; "-" when it is empty.
func appendBare(dst []byte, s string, limit int) []byte {
	if s == "" {
		return append(dst, '-')
	}
	return appendEscaped(dst, s, styleBare, limit)
}

// appendPadded appends n right-justified.
func appendPadded(dst []byte, n int64, width int) []byte {
	start := len(dst)
	dst = strconv.AppendInt(dst, n, 10)
	for len(dst)-start < width {
		dst = append(dst, 0)
		copy(dst[start+1:], dst[start:])
		dst[start] = ' '
	}
	return dst
}
