package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy"
	"github.com/jayproxy/jay/proxy/admin"
	"github.com/jayproxy/jay/proxy/resolve"
)

// doctorWait is how long the doctor waits for an answer.
const doctorWait = 5 * time.Second

// gather looks at the machine.
func (p *process) gather(ctx context.Context, c *config.Config, f *flags) (*facts, error) {
	target, err := doctorURL(f.last("url"))
	if err != nil {
		return nil, err
	}
	host := p.host()
	a := &facts{
		connections: c.MaxConnections, descriptors: host.Descriptors, cache: int64(c.CacheSize), memory: host.Memory,
		clock: clockFact{now: time.Now(), built: builtAt()},
	}
	a.admin = p.lookAdmin(ctx, c)
	if a.admin.version != "" {
		if n := p.runningDescriptors(ctx, c); n > 0 {
			a.descriptors = n
		}
	}
	a.ports = lookPorts(ctx, c)
	a.names = lookNames(ctx, c, target.Hostname())
	a.parents, a.behind = lookParents(ctx, c), len(c.Parent) > 0 && !slices.Contains(c.Parent, config.ParentDirect)
	if f.given("online") {
		lookOnline(ctx, c, a, target)
	}
	if len(c.Intercept) > 0 {
		p.lookInterception(ctx, c, f, &a.intercept)
	}
	return a, nil
}

// doctorURL is what is fetched and whose host is looked up.
func doctorURL(text string) (*url.URL, error) {
	if text == "" {
		text = "http://example.com/"
	}
	u, err := url.Parse(withScheme(text))
	if err != nil || u.Hostname() == "" {
		return nil, usagef("--url: %q is not a URL", text)
	}
	return u, nil
}

// builtAt is when the program's source was committed; the zero time if that is unknown.
func builtAt() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			t, _ := time.Parse(time.RFC3339, s.Value) // the zero time says that it is unknown
			return t
		}
	}
	return time.Time{}
}

// lookAdmin asks the admin address who is there.
func (p *process) lookAdmin(ctx context.Context, c *config.Config) adminFact {
	if c.Admin == config.AdminOff {
		return adminFact{}
	}
	a := adminFact{address: c.Admin}
	client, err := p.adminClient(c)
	if err != nil {
		a.err = err
		return a
	}
	ctx, cancel := context.WithTimeout(ctx, doctorWait)
	defer cancel()
	b, err := client.call(ctx, "GET", "/stats", "application/json", nil)
	if err != nil {
		a.err, a.refused = err, !errors.Is(err, errNobody)
		return a
	}
	var s admin.Figures
	if err := json.Unmarshal(b, &s); err != nil || s.Version == "" {
		a.refused, a.err = true, fmt.Errorf("what answers at %s is no Jay", c.Admin)
		return a
	}
	a.version = s.Version
	return a
}

// runningDescriptors is how many descriptors the running Jay may open; 0 if it does not tell.
func (p *process) runningDescriptors(ctx context.Context, c *config.Config) int64 {
	client, err := p.adminClient(c)
	if err != nil {
		return 0
	}
	b, err := client.call(ctx, "GET", "/metrics", "text/plain", nil)
	if err != nil {
		return 0
	}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		if text, ok := strings.CutPrefix(s.Text(), "process_max_fds "); ok {
			n, _ := strconv.ParseFloat(text, 64) // 0: it does not tell
			return int64(min(n, 1<<40))
		}
	}
	return 0
}

// lookPorts looks at all addresses to listen on.
func lookPorts(ctx context.Context, c *config.Config) (all []portFact) {
	for _, l := range []struct {
		option    string
		addresses []string
		mode      proxy.Mode
		secure    bool
	}{
		{"listen", c.Listen, proxy.Explicit, false}, {"listen-tls", c.ListenTLS, proxy.Explicit, true},
		{"intercept", c.Intercept, interceptMode(c), false},
	} {
		for _, address := range l.addresses {
			all = append(all, lookPort(ctx, l.option, address, l.mode, l.secure))
		}
	}
	return all
}

// lookPort looks at one address by listening on it for a moment.
func lookPort(ctx context.Context, option, address string, mode proxy.Mode, secure bool) portFact {
	p := portFact{option: option, address: address}
	ln, err := proxy.Listen(ctx, address, mode, nil)
	switch {
	case err == nil:
		ln.Close()
	case isJay(ctx, clientAddress(address), secure): // which may have privileges that the doctor lacks
		p.state = portJay
	case errors.Is(err, syscall.EADDRINUSE):
		p.state = portTaken
	default:
		p.state, p.err = portBad, listenError(address, err)
	}
	return p
}

// isJay asks for a page that there is not: Jay's refusal names it.
func isJay(ctx context.Context, address string, secure bool) bool {
	ctx, cancel := context.WithTimeout(ctx, doctorWait)
	defer cancel()
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	defer nc.Close()
	end, _ := ctx.Deadline() // which was just set
	nc.SetDeadline(end)
	if secure {
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true}) // nothing is told or believed but who answers
	}
	fmt.Fprintf(nc, "GET /doctor HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", address)
	for s := bufio.NewScanner(nc); s.Scan() && s.Text() != ""; {
		if strings.HasPrefix(s.Text(), "Proxy-Status: jay;") {
			return true
		}
	}
	return false
}

// lookNames asks each resolver for a name.
func lookNames(ctx context.Context, c *config.Config, host string) (all []nameFact) {
	opt := nameOptions(c)
	opt.Timeout = min(opt.Timeout, doctorWait)
	if len(opt.Servers) == 0 {
		return []nameFact{lookName(ctx, opt, "the system's resolver"+systemServers(), host)}
	}
	for _, s := range opt.Servers {
		one := opt
		one.Servers = []netip.AddrPort{s}
		all = append(all, lookName(ctx, one, s.String(), host))
	}
	return all
}

// systemServers are those of /etc/resolv.conf, in brackets.
func systemServers() string {
	b, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return ""
	}
	var list []string
	for line := range strings.Lines(string(b)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "nameserver" {
			list = append(list, words[1])
		}
	}
	if list == nil {
		return ""
	}
	return " (" + strings.Join(list, ", ") + ")"
}

func lookName(ctx context.Context, opt resolve.Options, server, host string) nameFact {
	r := resolve.New(opt)
	defer r.Close()
	n := nameFact{server: server, host: host}
	began := time.Now()
	list, err := r.Lookup(ctx, host)
	n.addresses, n.took, n.err = len(list), time.Since(began), err
	var re *resolve.Error
	if errors.As(err, &re) {
		n.timeout, n.notFound = re.Timeout, re.NotFound
		n.err = re.Err
		if re.RCode != "" {
			n.err = errors.New(re.RCode)
		}
	}
	return n
}
