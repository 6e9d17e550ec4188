package proxy

import (
	"math"
	"strconv"
	"time"
)

// The reasons for forwarding of RFC 9211 §2.2.
const (
	fwdBypass   = "bypass"
	fwdMethod   = "method"
	fwdURIMiss  = "uri-miss"
	fwdVaryMiss = "vary-miss"
	fwdRequest  = "request"
	fwdStale    = "stale"
	fwdPartial  = "partial"
)

// verdict is what Cache-Status says about an exchange (RFC 9211 §2).
type verdict struct {
	hit       bool
	fwd       string // why the request went on; empty with hit
	status    int    // what the origin answered; 0: nothing, or the same as the client gets
	stored    bool
	collapsed bool
	ttl       int64 // seconds of freshness left, negative when stale
	hasTTL    bool
	detail    string // the reason in a word
}

// withTTL adds the freshness that is left.
func (v verdict) withTTL(d time.Duration) verdict {
	v.ttl, v.hasTTL = int64(math.Ceil(d.Seconds())), true // so that Age and ttl add up to the lifetime
	return v
}

// append serialises the verdict as the value of a Cache-Status field; key is added if it is not empty.
func (v verdict) append(dst []byte, key string) []byte {
	dst = append(dst, "jay"...)
	if v.hit {
		dst = append(dst, "; hit"...)
	} else {
		dst = append(append(dst, "; fwd="...), v.fwd...)
	}
	if v.status != 0 {
		dst = strconv.AppendInt(append(dst, "; fwd-status="...), int64(v.status), 10)
	}
	if v.stored {
		dst = append(dst, "; stored"...)
	}
	if v.collapsed {
		dst = append(dst, "; collapsed"...)
	}
	if v.hasTTL {
		dst = strconv.AppendInt(append(dst, "; ttl="...), v.ttl, 10)
	}
	if key != "" {
		dst = appendQuoted(append(dst, "; key="...), key)
	}
	if v.detail != "" {
		dst = append(append(dst, "; detail="...), v.detail...)
	}
	return dst
}

// appendQuoted adds a structured field string (RFC 9651 §3.3.3); s is printable ASCII.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// cacheStatus is the field value for this exchange. It lies in a buffer of the connection's, until the next exchange.
func (x *exchange) cacheStatus(v verdict) []byte {
	key := ""
	if x.opt.CacheStatusKey {
		key = x.url
	}
	x.rec.Reason = v.detail
	x.c.status = v.append(x.c.status[:0], key)
	return x.c.status
}
