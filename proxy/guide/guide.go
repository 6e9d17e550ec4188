// Package guide is what a proxy tells those who have yet to learn how to use it: a page with the settings of each system,
// a short text for the terminal, and the PAC file that sets clients up by itself. It makes texts of values and does
// nothing else; the page is one file without anything from elsewhere and without a script.
package guide

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
)

// Visit is what the page is made for.
type Visit struct {
	// Address is where the visitor reaches the proxy.
	Address Address
	// NoProxy is what programs shall reach without it, as no_proxy has it.
	NoProxy string
	// Login tells that the proxy wants a user name and a password.
	Login bool
	// User is who has logged in to see the rules; empty: nobody has.
	User string
	// Rules are sentences about what the visitor may do, in the order in which they count. None: they are not shown.
	Rules []string
	// StatusPage is the URL of the proxy's status page; empty: the visitor cannot reach it.
	StatusPage string
}

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// Page is the visitor's page.
func Page(v *Visit) ([]byte, error) {
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("guide: %w", err)
	}
	return b.Bytes(), nil
}

// Policy is the page's Content-Security-Policy: its own style and nothing else.
func Policy() string {
	_, rest, _ := strings.Cut(pageText, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// ProxyURL is the value of http_proxy, with places for the name and the password where the proxy wants them.
func (v *Visit) ProxyURL() string {
	if v.Login {
		return v.Address.Scheme() + "://NAME:PASSWORD@" + v.Address.String()
	}
	return v.Address.URL()
}

// HostText is the proxy's host alone, with the brackets that a URL needs.
func (v *Visit) HostText() string {
	if strings.Contains(v.Address.Host, ":") {
		return "[" + v.Address.Host + "]"
	}
	return v.Address.Host
}

// PACURL is where the PAC file is.
func (v *Visit) PACURL() string { return v.Address.URL() + "/proxy.pac" }

// Text is the page for a terminal.
func (v *Visit) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "This is Jay, a caching HTTP proxy. It answers here only to say how to use it.\n\n")
	fmt.Fprintf(&b, "Browser:   set %s as the HTTP and HTTPS proxy,\n", v.Address)
	fmt.Fprintf(&b, "           or %s as the address of the automatic configuration\n", v.PACURL())
	fmt.Fprintf(&b, "Shell:     export http_proxy=%[1]s https_proxy=%[1]s no_proxy=%[2]s\n", v.ProxyURL(), v.NoProxy)
	fmt.Fprintf(&b, "One call:  curl -x %s http://example.com/\n", v.ProxyURL())
	if len(v.Rules) > 0 {
		fmt.Fprintf(&b, "\nWhat you may do:\n")
	}
	for _, r := range v.Rules {
		fmt.Fprintf(&b, "- %s\n", r)
	}
	return b.String()
}
