package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy/policy"
	"github.com/jayproxy/jay/proxy/resolve"
	"github.com/jayproxy/jay/proxy/wire"
)

// codeRefused is the exit code of jay policy test for what the policy refuses.
const codeRefused = 3

func policyCommand() command {
	return command{
		name: "policy", arg: "test", words: []string{"test"}, usage: "say which rule of the policy decides about a request, and why",
		text: "Reads the configuration and its lists, not a running Jay. The rules are shown in their order, down to the one that\n" +
			"decides. A host's name is looked up only if the address decides. Exits with 0 when the request is allowed, with 3\n" +
			"when it is refused.",
		example: "jay policy test --config jay.yaml --client 10.0.0.7 --url https://example.com/",
		offline: true,
		flags: []ownFlag{
			{name: "url", arg: "URL", help: "what is asked for; https:// stands for the CONNECT that a browser sends, wss:// and ws:// for WebSocket"},
			{name: "client", arg: "ADDR", help: "address of the client [127.0.0.1]"},
			{name: "user", arg: "NAME", help: "user who has logged in"},
			{name: "method", arg: "METHOD", help: "method of the request [GET, or CONNECT]"},
			{name: "via", arg: "WAY", help: "how the request comes: http, connect, upgrade or intercept; several with commas [from the URL]"},
			{name: "address", arg: "ADDR", help: "the host's address, so that it is not looked up"},
			{name: "time", arg: "TIME", help: "when, as in 2026-01-31T09:30 [now]"},
		},
		run: (*process).policyTest,
	}
}

// policyTest answers jay policy test.
func (p *process) policyTest(ctx context.Context, f *flags) error {
	if f.args[0] != "test" {
		return usagef("unknown command %q; did you mean policy test?", "policy "+f.args[0])
	}
	c, err := p.settings(f, codeUsage)
	if err != nil {
		return err
	}
	q, err := policyQuestion(f)
	if err != nil {
		return err
	}
	pol, err := policy.New(policyOptions(c.Policy))
	if err != nil {
		return &exitError{code: codeUsage, err: err}
	}
	t := policyTester{c: &c, policy: pol, q: q}
	allowed := t.run(ctx)
	if _, err := p.stdout.Write([]byte(t.text.String())); err != nil || allowed {
		return err
	}
	return &exitError{code: codeRefused, err: errors.New("")}
}

// policyQuestion is what the command line asks.
func policyQuestion(f *flags) (policy.Question, error) {
	q := policy.Question{Time: time.Now(), Client: netip.AddrFrom4([4]byte{127, 0, 0, 1}), User: f.last("user")}
	if f.last("url") == "" {
		return q, usagef("policy test needs a --url")
	}
	if err := questionURL(&q, f.last("url")); err != nil {
		return q, usagef("--url: %v", err)
	}
	if m := f.last("method"); m != "" {
		q.Method = m
	}
	if err := questionVia(&q, f.last("via")); err != nil {
		return q, err
	}
	for name, into := range map[string]*netip.Addr{"client": &q.Client, "address": &q.Addr} {
		text := f.last(name)
		if text == "" {
			continue
		}
		a, err := netip.ParseAddr(text)
		if err != nil {
			return q, usagef("--%s: %q is not an address", name, text)
		}
		*into = a.Unmap()
	}
	if text := f.last("time"); text != "" {
		at, err := time.ParseInLocation("2006-01-02T15:04", text, time.Local)
		if err != nil {
			return q, usagef("--time: %q is not a time; write 2026-01-31T09:30", text)
		}
		q.Time = at
	}
	return q, nil
}

// questionVia puts words for ways into a question; none leave what the URL says.
func questionVia(q *policy.Question, words string) error {
	if words == "" {
		return nil
	}
	q.Via = 0
	for word := range strings.SplitSeq(words, ",") {
		v := policyVia(strings.TrimSpace(word))
		if v == 0 {
			return usagef("--via: %q is not one of http, connect, upgrade, intercept", word)
		}
		q.Via |= v
	}
	return nil
}

// questionURL puts into a question what a browser that uses the proxy would ask for a URL.
func questionURL(q *policy.Question, url string) error {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		scheme, rest = "http", url
	}
	q.Method, q.Via, q.Port = "GET", policy.HTTP, 80
	switch strings.ToLower(scheme) {
	case "http":
	case "ws":
		q.Via = policy.Upgrade
	case "https", "wss":
		q.Method, q.Via, q.Port = "CONNECT", policy.Connect, 443
	default:
		return fmt.Errorf("%q is not http, https, ws or wss", scheme)
	}
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	host, port, err := wire.ParseAuthority(authority)
	if err != nil {
		return fmt.Errorf("%q is not a host with or without a port", authority)
	}
	q.Host = host
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return err
		}
		q.Port = uint16(n)
	}
	return nil
}

// policyTester asks a policy and writes down the answers.
type policyTester struct {
	c      *config.Config
	policy *policy.Policy
	q      policy.Question
	text   strings.Builder
}

// run reports whether the request is allowed.
func (t *policyTester) run(ctx context.Context) bool {
	if why := t.before(); why != "" {
		fmt.Fprintf(&t.text, "refused before the policy is asked: %s\n", why)
		return false
	}
	d, steps := t.policy.Explain(t.q)
	if d.Pending {
		return t.addresses(ctx)
	}
	t.verdict(d, "")
	t.steps(steps)
	return d.Allow
}

// before says what refuses a client on another machine already, apart from addresses.
func (t *policyTester) before() string {
	if t.q.Client.IsLoopback() {
		return ""
	}
	client := false
	for _, p := range t.c.AllowClients {
		client = client || p.Contains(t.q.Client.WithZone(""))
	}
	ports, option := t.c.HTTPPorts, "http-ports"
	if t.q.Via&policy.Connect != 0 {
		ports, option = t.c.ConnectPorts, "connect-ports"
	}
	open := t.q.Via&policy.Intercept != 0
	for _, r := range ports {
		open = open || r.Contains(t.q.Port)
	}
	switch {
	case !client:
		return fmt.Sprintf("%v is not in allow-clients", t.q.Client)
	case !open:
		return fmt.Sprintf("%d is not in %s", t.q.Port, option)
	}
	return ""
}

// addresses looks the host up, since its addresses decide. The request is allowed if any of them is.
func (t *policyTester) addresses(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, t.c.ConnectTimeout)
	defer cancel()
	names := resolve.New(nameOptions(t.c))
	defer names.Close()
	list, err := names.Lookup(ctx, t.q.Host)
	if err != nil {
		fmt.Fprintf(&t.text, "the address of %s decides, but it was not found; --address says it\n", t.q.Host)
		_, steps := t.policy.Explain(t.q)
		t.steps(steps)
		return false
	}
	allowed := false
	for _, a := range list {
		q := t.q
		q.Addr = a.Unmap()
		d, steps := t.policy.Explain(q)
		t.verdict(d, fmt.Sprintf("%s at %v: ", q.Host, q.Addr))
		t.steps(steps)
		allowed = allowed || d.Allow
	}
	return allowed
}

// verdict writes what was decided.
func (t *policyTester) verdict(d policy.Decision, where string) {
	word := "refused"
	if d.Allow {
		word = "allowed"
	}
	switch d.Rule {
	case "":
		fmt.Fprintf(&t.text, "%s%s; there is no policy\n", where, word)
	case "default":
		fmt.Fprintf(&t.text, "%s%s by default: no rule decides\n", where, word)
	case "host":
		fmt.Fprintf(&t.text, "%s%s: %q is no host\n", where, word, t.q.Host)
	default:
		fmt.Fprintf(&t.text, "%s%s by the rule %s\n", where, word, d.Rule)
	}
}

// steps writes what each rule made of the request.
func (t *policyTester) steps(steps []policy.Step) {
	for _, s := range steps {
		said := "matches"
		switch {
		case s.Matches == "no":
			said = "does not match: " + s.Because
		case s.Matches == "unknown":
			said = "depends on the address"
		case s.Action == policy.Report:
			said = "matches, and would refuse"
		}
		fmt.Fprintf(&t.text, "  %-20s %-6v  %s\n", s.Rule, s.Action, said)
	}
}
