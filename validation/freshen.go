package validation

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Selects returns the indices of the stored responses, most recent first, that a 304 response with the given validators updates
// (RFC 9111 §4.3.4). stored are those that the request could have selected but for their freshness. None means that the 304 must
// not update any.
func Selects(update Validators, stored []Validators) []int {
	var selected []int
	for i, v := range stored {
		if update.sharesStrong(v) {
			selected = append(selected, i)
		}
	}
	if len(selected) > 0 || update.ETag.Strong() {
		return selected
	}
	if update.None() {
		if len(stored) == 1 && stored[0].None() {
			return []int{0}
		}
		return nil
	}
	for i, v := range stored {
		if update.sharesWeak(v) {
			return []int{i}
		}
	}
	return nil
}

// Unstored reports whether a field, in any case, is never stored by a proxy's cache (RFC 9111 §3.1): it belongs to one
// connection, or to one proxy. Fields that Connection names are for the caller to see to.
func Unstored(name string) bool {
	return containsName(neverStored[:], name)
}

var neverStored = [...]string{
	"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Transfer-Encoding", "Upgrade", "Trailer",
	"Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization",
}

// notUpdated reports whether a field of a newer response leaves the stored one alone (RFC 9111 §3.2). Beyond what is never stored
// and Content-Length these are the fields that tell how the stored bytes are to be read: an origin that describes another
// representation in its 304 would make them unreadable.
func notUpdated(name string) bool {
	return containsName(describingBytes[:], name) || Unstored(name)
}

var describingBytes = [...]string{"Content-Length", "Content-Encoding", "Content-Range"}

// connectionOptions returns the field names that Connection lists.
func connectionOptions(lines []string) []string {
	var names []string
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if name = trimOWS(name); name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

// Freshen returns the fields of a stored response updated by those of a newer one: a 304, a HEAD response, or a part that is
// combined with it (RFC 9111 §3.2). Neither argument changes; values may be shared. The newer response must have a Date: the
// caller adds one where the origin did not (RFC 9110 §6.6.1).
//
// The stored Age goes even if the newer response has none, for it counted from a Date that goes too.
func Freshen(stored, update http.Header) http.Header {
	out := make(http.Header, len(stored)+len(update))
	for name, values := range stored {
		out[name] = values
	}
	delete(out, "Age")
	options := connectionOptions(update["Connection"])
	for name, values := range update {
		if !notUpdated(name) && !containsName(options, name) {
			out[name] = values
		}
	}
	return out
}

// FreshenFields is [Freshen] on ordered field lines. A replaced field takes the place of its first line; new fields come last.
func FreshenFields(stored, update []Field) []Field {
	news := updatingFields(update)
	out := make([]Field, 0, len(stored)+len(news))
	for i, f := range stored {
		switch {
		case !hasField(news, f.Name):
			if !sameName(f.Name, "Age") {
				out = append(out, f)
			}
		case !hasField(stored[:i], f.Name):
			out = appendNamed(out, news, f.Name)
		}
	}
	for _, f := range news {
		if !hasField(stored, f.Name) {
			out = append(out, f)
		}
	}
	return out
}

// updatingFields are the fields of a newer response that update the stored one.
func updatingFields(update []Field) []Field {
	var connection []string
	for _, f := range update {
		if sameName(f.Name, "Connection") {
			connection = append(connection, f.Value)
		}
	}
	options := connectionOptions(connection)
	news := make([]Field, 0, len(update))
	for _, f := range update {
		if !notUpdated(f.Name) && !containsName(options, f.Name) {
			news = append(news, f)
		}
	}
	return news
}

func hasField(fields []Field, name string) bool {
	for i := range fields {
		if sameName(fields[i].Name, name) {
			return true
		}
	}
	return false
}

func appendNamed(dst, fields []Field, name string) []Field {
	for _, f := range fields {
		if sameName(f.Name, name) {
			dst = append(dst, f)
		}
	}
	return dst
}

func containsName(names []string, name string) bool {
	for _, n := range names {
		if sameName(n, name) {
			return true
		}
	}
	return false
}

func sameName(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

// HeadMatches reports what a 200 response to HEAD with the fields head does to a stored response to GET that the request could
// have selected (RFC 9111 §4.3.5): true if it describes the same representation and updates it (with [FreshenFields]), false
// if the stored response is to be considered stale. length is the complete length of the stored representation in bytes, -1 if
// unknown. A Content-Encoding that differs is no match either: it would not be updated.
func HeadMatches(stored, head http.Header, length int64) bool {
	now, was := Of(head, time.Time{}), Of(stored, time.Time{})
	if now.ETag.Present() && now.ETag != was.ETag {
		return false
	}
	if _, ok := head["Last-Modified"]; ok && !slices.Equal(head["Last-Modified"], stored["Last-Modified"]) &&
		(now.LastModified.IsZero() || !now.LastModified.Equal(was.LastModified)) {
		return false
	}
	if values, ok := head["Content-Encoding"]; ok && !slices.Equal(values, stored["Content-Encoding"]) {
		return false
	}
	value, ok := sole(head["Content-Length"])
	if !ok {
		return len(head["Content-Length"]) == 0
	}
	n, err := strconv.ParseUint(value, 10, 63)
	return err == nil && int64(n) == length
}

// Combinable reports whether a new partial response may be combined with a stored one (RFC 9111 §3.4, RFC 9110 §15.3.7.3): they
// share a strong validator, and do not contradict each other on the coding or the complete length of the representation.
func Combinable(stored, update http.Header) bool {
	if !Of(stored, time.Time{}).sharesStrong(Of(update, time.Time{})) {
		return false
	}
	if !slices.Equal(stored["Content-Encoding"], update["Content-Encoding"]) {
		return false
	}
	was, ok := soleContentRange(stored)
	is, ok2 := soleContentRange(update)
	return !ok || !ok2 || was.Length < 0 || is.Length < 0 || was.Length == is.Length
}

func soleContentRange(h http.Header) (ContentRange, bool) {
	value, ok := sole(h["Content-Range"])
	if !ok {
		return ContentRange{}, false
	}
	return ParseContentRange(value)
}
