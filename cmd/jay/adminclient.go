package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/jayproxy/jay/config"
)

// adminClient speaks to the admin listener of a running Jay.
type adminClient struct {
	http    *http.Client
	address string // as configured
	base    string // URL without a path
	token   string
}

// adminClient returns a client for the address and the token that are configured.
func (p *process) adminClient(c *config.Config) (*adminClient, error) {
	if c.Admin == config.AdminOff {
		return nil, &exitError{code: codeUsage, err: errAdminOff}
	}
	token, err := adminToken(c)
	if err != nil {
		return nil, &exitError{code: codeUsage, err: err}
	}
	network, address := "tcp", clientAddress(c.Admin)
	base := "http://" + address
	if path, ok := strings.CutPrefix(c.Admin, "unix:"); ok {
		network, address, base = "unix", path, "http://localhost"
	}
	var d net.Dialer
	return &adminClient{
		address: c.Admin, base: base, token: token,
		http: &http.Client{Timeout: time.Minute, Transport: &http.Transport{ // not through a proxy, least of all Jay itself
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return d.DialContext(ctx, network, address)
			},
		}},
	}, nil
}

// clientAddress is where clients on this machine reach a listener at an address.
func clientAddress(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// call sends a request, with body as JSON if it is not nil, and returns the answer.
func (a *adminClient) call(ctx context.Context, method, path, accept string, body any) ([]byte, error) {
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("admin: %w", err)
		}
		payload = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, payload)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", accept)
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, a.unreachable(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return nil, a.unreachable(err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, answerError(a.address, resp, b)
	}
	return b, nil
}

// errNobody is the cause when nothing listens at the admin address.
var errNobody = errors.New("is it running, and is this its admin address (--admin)?")

// unreachable says in words that help why there is no answer.
func (a *adminClient) unreachable(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT) {
		return fmt.Errorf("no Jay answers at %s; %w", a.address, errNobody)
	}
	return fmt.Errorf("the Jay at %s does not answer: %w", a.address, err)
}

// answerError is the error that an answer other than 200 tells.
func answerError(address string, resp *http.Response, body []byte) error {
	var v struct{ Error string }
	if json.Unmarshal(body, &v) != nil || v.Error == "" {
		return fmt.Errorf("what answers at %s is no Jay, or another version: %s", address, resp.Status)
	}
	if resp.StatusCode == http.StatusBadRequest {
		return &exitError{code: codeUsage, err: errors.New(v.Error)}
	}
	return fmt.Errorf("the Jay at %s refuses: %s", address, v.Error)
}

// ask asks a running Jay and reads its answer; with --json it prints the answer as it came instead, and reports true.
func (p *process) ask(ctx context.Context, f *flags, c *config.Config, method, path string, body, answer any) (printed bool, err error) {
	client, err := p.adminClient(c)
	if err != nil {
		return false, err
	}
	b, err := client.call(ctx, method, path, "application/json", body)
	if err != nil {
		return false, err
	}
	if f.given("json") {
		_, err = p.stdout.Write(b)
		return true, err
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return false, fmt.Errorf("%s: %w", strings.TrimPrefix(path, "/"), err)
	}
	return false, nil
}
