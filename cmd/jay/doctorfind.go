package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/jayproxy/jay/config"
)

// diagnose concludes from facts what is good and what is not. It does nothing else.
func diagnose(f *facts) []finding {
	var all []finding
	for _, check := range []func(*facts) []finding{findAdmin, findPorts, findNames, findParents, findClock, findDescriptors, findMemory, findInterception} {
		all = append(all, check(f)...)
	}
	return all
}

func findAdmin(f *facts) []finding {
	a := &f.admin
	one := func(level, advice, format string, args ...any) []finding {
		return []finding{{"admin", level, fmt.Sprintf(format, args...), advice}}
	}
	switch {
	case a.address == "":
		return one(levelNote, "", "there is no admin address (admin: off)")
	case a.version != "":
		return one(levelGood, "", "Jay %s answers at %s", a.version, a.address)
	case a.refused:
		return one(levelProblem, "see that admin and admin-token-file are those of the running Jay", "%v", a.err)
	}
	return one(levelNote, "", "no Jay runs, or not with this admin address (%s)", a.address)
}

func findPorts(f *facts) []finding {
	var all []finding
	running := f.admin.version != ""
	for _, p := range f.ports {
		found := finding{Check: "ports", Level: levelGood, Text: fmt.Sprintf("%s %s ", p.option, p.address)}
		switch {
		case p.state == portJay:
			found.Text += "is Jay's"
		case p.state == portFree && running:
			found.Level, found.Advice = levelWarning, "it was started with another configuration; restart it"
			found.Text += "is free, although a Jay is running"
		case p.state == portFree:
			found.Text += "is free"
		case p.state == portTaken && running:
			found.Level, found.Text = levelWarning, found.Text+"is taken, by something that does not answer like Jay"
			found.Advice = "if Jay expects TLS or the PROXY protocol there, all is well; otherwise find out who listens there: ss -ltnp"
		case p.state == portTaken:
			found.Level, found.Text = levelProblem, found.Text+"is taken by another program"
			found.Advice = "find out which one (ss -ltnp) and end it, or give Jay another address: " + p.option
		default:
			found.Level, found.Text = levelProblem, found.Text+"cannot be listened on"
			found.Advice = p.err.Error()
		}
		all = append(all, found)
	}
	return all
}

func findNames(f *facts) []finding {
	var all []finding
	works := false
	for _, n := range f.names {
		works = works || n.err == nil || n.notFound
	}
	for _, n := range f.names {
		found := finding{Check: "names", Level: levelGood}
		switch {
		case n.err == nil:
			found.Text = fmt.Sprintf("%s finds %s (addresses: %d; %v)", n.server, n.host, n.addresses, n.took.Round(time.Millisecond))
		case n.notFound:
			found.Level = levelNote
			found.Text = fmt.Sprintf("%s answers, but knows of no %s", n.server, n.host)
		default:
			found.Level = levelProblem
			found.Text = fmt.Sprintf("%s does not resolve %s: %v", n.server, n.host, n.err)
			if n.timeout {
				found.Text = fmt.Sprintf("%s does not answer", n.server)
			}
			found.Advice = "see that this machine can reach it, or name other resolvers: dns-servers"
			if works || f.behind {
				found.Level = levelWarning
			}
		}
		all = append(all, found)
	}
	return all
}

func findParents(f *facts) []finding {
	var all []finding
	for _, p := range f.parents {
		found := finding{Check: "parents", Level: levelGood, Text: p.address + " can be connected to"}
		if p.err != nil {
			found.Level, found.Text = levelProblem, fmt.Sprintf("%s cannot be connected to: %v", p.address, p.err)
			found.Advice = "see that it runs and that this machine can reach it, or take it out of parent and parents"
		}
		all = append(all, found)
	}
	return all
}

// The differences of two clocks that are worth a word, and those that break things: certificates, freshness, logs.
const (
	clockOff   = 30 * time.Second
	clockWrong = 5 * time.Minute
)

func findClock(f *facts) []finding {
	c := &f.clock
	const advice = "set the clock, and have it kept right (NTP): certificates and the freshness of stored responses depend on it"
	found := finding{Check: "clock", Level: levelGood, Text: c.now.UTC().Format("2006-01-02 15:04:05 UTC")}
	if c.now.Before(c.built) {
		found.Level, found.Advice = levelProblem, advice
		found.Text += " is before this program was built, " + c.built.UTC().Format("2006-01-02")
	}
	if c.url == "" {
		return []finding{found}
	}
	online := finding{Check: "online", Level: levelGood, Text: c.url + " can be fetched"}
	off := c.now.Sub(c.date).Round(time.Second)
	switch {
	case c.err != nil:
		online.Level, online.Text = levelProblem, fmt.Sprintf("%s cannot be fetched: %v", c.url, c.err)
		online.Advice = "see that this machine gets that far without Jay: curl -v " + c.url
	case c.date.IsZero():
		online.Text += "; it does not say what time it is"
	case off.Abs() > clockWrong:
		found.Level, found.Advice = levelProblem, advice
		found.Text += fmt.Sprintf(", %v off by the Date of %s", off, c.url)
	case off.Abs() > clockOff:
		found.Level, found.Advice = levelWarning, advice
		found.Text += fmt.Sprintf(", %v off by the Date of %s", off, c.url)
	}
	return []finding{found, online}
}

// fewDescriptors is a limit that a proxy for more than a few people soon reaches.
const fewDescriptors = 4096

func findDescriptors(f *facts) []finding {
	found := finding{Check: "descriptors", Level: levelGood, Text: fmt.Sprintf("%d file descriptors for up to %d clients", f.descriptors, f.connections)}
	const advice = "raise the limit: ulimit -n 65536 in a shell, LimitNOFILE=65536 in a systemd unit"
	switch {
	case f.descriptors == 0:
		found.Level, found.Text = levelNote, "the limit of file descriptors is unknown"
	case int64(f.connections) > f.descriptors/10*9:
		found.Level, found.Advice = levelProblem, advice+"; or lower max-connections"
		found.Text = fmt.Sprintf("%d file descriptors are too few for %d clients, each of which may need two", f.descriptors, f.connections)
	case f.descriptors < fewDescriptors:
		found.Level, found.Advice = levelWarning, advice
	}
	return []finding{found}
}

func findMemory(f *facts) []finding {
	cache, memory := config.Size(f.cache), config.Size(f.memory)
	found := finding{Check: "memory", Level: levelGood, Text: fmt.Sprintf("%v, %v of them for the cache", memory/config.MiB*config.MiB, cache)}
	switch {
	case f.memory == 0:
		found.Level, found.Text = levelNote, fmt.Sprintf("%v for the cache; how much memory there may be used is unknown", cache)
	case f.cache > f.memory:
		found.Level, found.Advice = levelProblem, "lower cache-size, or raise the limit (systemd: MemoryMax=, containers: --memory); auto is a quarter"
		found.Text = fmt.Sprintf("a cache of %v does not fit into the %v that may be used", cache, memory/config.MiB*config.MiB)
	case f.cache > f.memory/4*3:
		found.Level, found.Advice = levelWarning, "leave a quarter to connections and what is on its way: lower cache-size"
	}
	return []finding{found}
}

// portList is ports as people write them.
func portList(ports []uint16) string {
	text := ""
	for _, p := range ports {
		text += fmt.Sprintf(", %d", p)
	}
	return cmp.Or(text, ", any")[2:]
}
