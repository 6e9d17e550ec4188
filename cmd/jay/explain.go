package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy"
	"github.com/jayproxy/jay/proxy/admin"
)

func explainCommand() command {
	return command{
		name: "explain", arg: "URL", usage: "say what Jay would do with a request right now, and why",
		text: "Asks a running Jay, and changes nothing in it: is the response stored and why (not), how long is it fresh and says\n" +
			"who, how old is it and how is that computed, which variant is it, what would make it cacheable. When nothing that\n" +
			"is stored matches, the origin server is asked, too; its answer is not stored.",
		example: "jay explain http://example.com/ -H 'Accept-Language: de'",
		flags: []ownFlag{
			{name: "H", long: "header", arg: "FIELD", help: "field of the request, as in 'Name: value'; may be repeated"},
			{name: "X", long: "method", arg: "METHOD", help: "method of the request [GET]; only GET and HEAD are ever sent on"},
			{name: "client", arg: "ADDR", help: "address of the client to imagine [this machine]"},
			{name: "origin", arg: "WHEN", help: "whether the origin server is asked: auto (when nothing stored matches), always or never [auto]", words: []string{"auto", "always", "never"}},
			{name: "direct", help: "fetch and decide in this process, by the options given, without a running Jay"},
			{name: "json", help: "print JSON"},
		},
		run: (*process).explain,
	}
}

// explain explains one request.
func (p *process) explain(ctx context.Context, f *flags) error {
	c, err := p.settings(f, codeUsage)
	if err != nil {
		return err
	}
	q, err := explainRequest(f)
	if err != nil {
		return err
	}
	if f.given("direct") {
		return p.explainDirect(ctx, &c, q, f.given("json"))
	}
	client, err := p.adminClient(&c)
	if err != nil {
		return err
	}
	accept := "text/plain"
	if f.given("json") {
		accept = "application/json"
	}
	b, err := client.call(ctx, "POST", "/explain", accept, q)
	if err != nil {
		return err
	}
	_, err = p.stdout.Write(b)
	return err
}

// explainRequest is what the command line asks.
func explainRequest(f *flags) (*admin.ExplainRequest, error) {
	q := &admin.ExplainRequest{URL: withScheme(f.args[0]), Method: f.last("X"), Client: f.last("client"), Origin: f.last("origin")}
	for _, text := range f.texts["H"] {
		name, value, ok := strings.Cut(text, ":")
		if !ok || name == "" {
			return nil, usagef("-H: %q is not a field; write 'Name: value'", text)
		}
		q.Fields = append(q.Fields, proxy.Field{Name: name, Value: strings.TrimSpace(value)})
	}
	return q, nil
}

// withScheme is what people mean who leave out http://.
func withScheme(url string) string {
	if strings.Contains(url, "://") {
		return url
	}
	return "http://" + url
}

// explainDirect explains in a proxy of its own, which begins with nothing stored.
func (p *process) explainDirect(ctx context.Context, c *config.Config, q *admin.ExplainRequest, asJSON bool) error {
	request, err := q.Request()
	if err != nil {
		return usagef("--%v", err)
	}
	if q.Origin == "" {
		request.Ask = proxy.AskAlways
	}
	opt, err := proxyOptions(c)
	if err != nil {
		return &exitError{code: codeUsage, err: err}
	}
	own, err := proxy.New(opt)
	if err != nil {
		return err
	}
	defer own.Shutdown(ctx)
	e, err := own.Explain(ctx, request)
	if err != nil {
		return usagef("%s", strings.TrimPrefix(err.Error(), "proxy: "))
	}
	if !asJSON {
		_, err = io.WriteString(p.stdout, e.String())
		return err
	}
	b, err := json.MarshalIndent(&e, "", "  ")
	if err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n", b)
	return err
}
