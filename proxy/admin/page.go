package admin

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
)

// page is the status page: one file, without anything from elsewhere.
//
//go:embed page.html
var page string

// pagePolicy allows the page its own style and script, and requests to this server, and nothing else.
func pagePolicy() string {
	return "default-src 'none'; style-src " + hashOf("style") + "; script-src " + hashOf("script") +
		"; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// hashOf is the content security policy's source for the only element of a name in the page.
func hashOf(element string) string {
	_, rest, _ := strings.Cut(page, "<"+element+">")
	text, _, _ := strings.Cut(rest, "</"+element+">")
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// servePage answers with the status page.
func servePage(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy())
	_, _ = io.WriteString(w, page) // a client that has gone needs no answer
}
