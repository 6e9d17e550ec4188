package freshness

import (
	"net/http"
	"strings"
)

// Personal tells whether a request with these fields may say who sent it: whether it has a field that is not known to say
// nothing of the kind. Keys of programs come in fields of any name, as X-Api-Key. The names in h are canonical.
func Personal(h http.Header) bool {
	for name := range h {
		if _, ok := impersonal[name]; !ok && !strings.HasPrefix(name, "Sec-Ch-") && !strings.HasPrefix(name, "Sec-Fetch-") {
			return true
		}
	}
	return false
}

// impersonal are the fields that say what is asked for, how it is to be sent, and what program asks.
var impersonal = map[string]struct{}{
	"Accept": {}, "Accept-Charset": {}, "Accept-Datetime": {}, "Accept-Encoding": {}, "Accept-Language": {},
	"Access-Control-Request-Headers": {}, "Access-Control-Request-Method": {}, "Cache-Control": {}, "Connection": {},
	"Content-Length": {}, "Date": {}, "Dnt": {}, "Expect": {}, "Host": {}, "If-Match": {}, "If-Modified-Since": {},
	"If-None-Match": {}, "If-Range": {}, "If-Unmodified-Since": {}, "Keep-Alive": {}, "Max-Forwards": {}, "Origin": {},
	"Pragma": {}, "Priority": {}, "Proxy-Connection": {}, "Range": {}, "Referer": {}, "Save-Data": {}, "Sec-Gpc": {},
	"Te": {}, "Upgrade-Insecure-Requests": {}, "User-Agent": {}, "Via": {}, "Want-Digest": {}, "X-Requested-With": {},
}
