// Package wiretest is a corpus of HTTP/1.1 messages for tests: requests and
// responses that must be refused, and odd ones that must not be. Their names
// start with the section of RFC 9112 or RFC 9110 that decides them.
//
// Requests are addressed to Host in absolute form. Explicit and Intercepted
// give their bytes for a real origin. Behind nearly every malformed request
// follows a good one for Smuggled, which nobody may ever receive.
package wiretest

import "strings"

// Host is the origin that the requests name.
const Host = "origin.test"

// Smuggled is the path of the requests that are hidden behind malformed ones.
const Smuggled = "/smuggled"

// origin is the start of a target in absolute form.
const origin = "http://" + Host

// probe is the request hidden behind a malformed one.
const probe = "GET " + origin + Smuggled + " HTTP/1.1\r\nHost: " + Host + "\r\n\r\n"

// Case is one message.
type Case struct {
	// Name is unique among the cases of one function.
	Name string
	// Raw is what is sent. The connection stays open after a request and is
	// closed, with FIN, after a response.
	Raw string
	// Status is what a client must be answered: the refusal of a malformed
	// request, 502 for a bad response. It is 0 for a message that is fine.
	Status int
	// Body says that the fault is in the body, behind a head that is fine. Of
	// such a request the head may have been forwarded, but never as a whole
	// message; such a response must be 502 or break off visibly at the client.
	Body bool
}

// Explicit is the request as it goes to an explicit proxy, for an origin at
// authority instead of Host.
func (c Case) Explicit(authority string) string {
	return strings.ReplaceAll(c.Raw, Host, authority)
}

// Intercepted is the request as an intercepted client sends it: targets that
// name Host are in origin form.
func (c Case) Intercepted(authority string) string {
	return strings.ReplaceAll(strings.ReplaceAll(c.Raw, " "+origin+"/", " /"), Host, authority)
}

// cases collects cases.
type cases []Case

// add appends a case.
func (cs *cases) add(name, raw string, status int) {
	*cs = append(*cs, Case{Name: name, Raw: raw, Status: status})
}

// addBody appends a case whose fault is in the body.
func (cs *cases) addBody(name, raw string, status int) {
	*cs = append(*cs, Case{Name: name, Raw: raw, Status: status, Body: true})
}

// get is a GET request with the given lines after Host, each with its own
// terminator, and the probe behind it.
func get(lines string) string {
	return "GET " + origin + "/a HTTP/1.1\r\nHost: " + Host + "\r\n" + lines + "\r\n" + probe
}

// post is a POST request with the given lines after Host, the given body, and
// the probe behind it.
func post(lines, body string) string {
	return "POST " + origin + "/a HTTP/1.1\r\nHost: " + Host + "\r\n" + lines + "\r\n" + body + probe
}

// line is a GET request with the given request line, its terminator included.
func line(s string) string {
	return s + "Host: " + Host + "\r\n\r\n" + probe
}

// chunked is a POST request with the given chunked body.
func chunked(body string) string {
	return post("Transfer-Encoding: chunked\r\n", body)
}
