package access

import "strconv"

// entry appends r as an entry of journald's native protocol: one field a line, with an empty line at the end, which the
// daemon's writer takes away. No value holds a line feed, since all are escaped.
func (e *encoder) entry(dst []byte, r *Record) []byte {
	dst = append(dst, "PRIORITY=6\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=jay\nMESSAGE="...)
	dst = e.line(dst, r)
	dst = appendAddr(append(dst, "\nJAY_CLIENT="...), r.Client)
	dst = appendEntryField(dst, "\nJAY_USER=", r.User, limitMiddle)
	dst = appendEntryField(dst, "\nJAY_METHOD=", r.Method, limitShort)
	dst = e.url(append(dst, "\nJAY_URL="...), r.URL, styleBare, limitURL)
	dst = strconv.AppendInt(append(dst, "\nJAY_STATUS="...), int64(r.Status), 10)
	dst = strconv.AppendInt(append(dst, "\nJAY_BYTES_IN="...), r.BytesIn, 10)
	dst = strconv.AppendInt(append(dst, "\nJAY_BYTES_OUT="...), r.BytesOut, 10)
	dst = strconv.AppendInt(append(dst, "\nJAY_DURATION_USEC="...), max(r.Duration.Microseconds(), 0), 10)
	dst = appendEntryField(dst, "\nJAY_DECISION=", string(r.Decision), limitShort)
	dst = appendEntryField(dst, "\nJAY_REASON=", r.Reason, limitMiddle)
	dst = appendEntryField(dst, "\nJAY_CACHE_STATUS=", r.CacheStatus, limitLong)
	dst = appendEntryField(dst, "\nJAY_PROXY_STATUS=", r.ProxyStatus, limitLong)
	if r.Origin.IsValid() {
		dst = appendAddr(append(dst, "\nJAY_ORIGIN="...), r.Origin)
	}
	dst = appendEntryField(dst, "\nJAY_RULE=", r.Rule, limitName)
	dst = appendEntryField(dst, "\nJAY_REPORTED=", r.Reported, limitName)
	dst = appendEntryField(dst, "\nJAY_KIND=", r.Kind, limitShort)
	dst = appendEntryField(dst, "\nJAY_SNI=", r.SNI, limitName)
	return appendEntryField(dst, "\nJAY_CAUSE=", r.Cause, limitMiddle)
}

// appendEntryField appends a field of an entry, or nothing when it has no value.
func appendEntryField(dst []byte, name, value string, limit int) []byte {
	if value == "" {
		return dst
	}
	return appendEscaped(append(dst, name...), value, styleQuoted, limit)
}
