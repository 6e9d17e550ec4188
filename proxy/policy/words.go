package policy

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// mostWords bounds the entries of a condition that are written out.
const mostWords = 12

// Words says in sentences what a client may do that was told to use the proxy, in the order in which the rules are asked. It
// tells nothing about others: rules for other clients or users, rules for intercepted connections only, and rules that
// only report are left out, and no user or group is named. None means that there is no policy.
func (p *Policy) Words(client netip.Addr, user string) []string {
	rs := p.ruleset()
	if rs == nil {
		return nil
	}
	var out []string
	client = client.Unmap().WithZone("")
	for i := range rs.said {
		r, w := &rs.rules[i], &rs.said[i]
		concerned := (r.clients == nil || r.clients.has(client)) && (r.users == nil || r.hasUser(user)) && (r.via == 0 || r.via&^Intercept != 0)
		if !concerned || r.action == Report {
			continue
		}
		verb, thing, and := "You may reach ", "everything", "and"
		if r.action == Deny {
			verb, thing, and = "You may not reach ", "anything", "or"
		}
		text, all := w.words(thing, and)
		if all && len(out) > 0 {
			text += " else"
		}
		out = append(out, verb+text+".")
		if all {
			return out // what follows decides nothing
		}
	}
	last := "allowed"
	if rs.fallback == Deny {
		last = "refused"
	}
	if len(out) == 0 {
		return []string{"Everything is " + last + "."}
	}
	return append(out, "Everything else is "+last+".")
}

// words says what the rule matches, but for clients and users: all destinations are the thing, several are joined by and.
// It tells whether the rule matches everything.
func (r *Rule) words(thing, and string) (text string, all bool) {
	where := make([]string, 0, len(r.To)+len(r.Lists))
	below := " and all names below it"
	if and == "or" {
		below = " or any name below it"
	}
	for _, to := range r.To {
		if name, ok := strings.CutPrefix(to, "."); ok {
			to = name + below
		}
		where = append(where, to)
	}
	for _, l := range r.Lists {
		where = append(where, "what is in the list "+l)
	}
	parts := []string{thing}
	if len(where) > 0 {
		parts[0] = join(where, and)
	}
	if len(r.Ports) > 0 {
		parts = append(parts, "on port "+join(portWords(r.Ports), "or"))
	}
	if r.Via&^Intercept != 0 {
		parts = append(parts, join(viaWords(r.Via), "or"))
	}
	if len(r.Methods) > 0 {
		parts = append(parts, "with "+join(r.Methods, "or"))
	}
	if len(r.Days) > 0 {
		parts = append(parts, "on "+join(dayWords(r.Days), "and"))
	}
	if len(r.Hours) > 0 {
		parts = append(parts, "at "+join(hourWords(r.Hours), "and"))
	}
	return strings.Join(parts, ", "), len(parts) == 1 && len(where) == 0
}

// join makes a list of items, of which it names the first.
func join(items []string, and string) string {
	if n := len(items) - mostWords; n > 0 {
		items = append(items[:mostWords:mostWords], strconv.Itoa(n)+" more")
	}
	if len(items) == 1 {
		return items[0]
	}
	last := len(items) - 1
	return strings.Join(items[:last], ", ") + " " + and + " " + items[last]
}

func portWords(ports []PortRange) (out []string) {
	for _, p := range ports {
		text := strconv.Itoa(int(p.First))
		if p.Last != p.First {
			text += " to " + strconv.Itoa(int(p.Last))
		}
		out = append(out, text)
	}
	return out
}

// viaWords are the ways as who asks knows them.
func viaWords(v Via) (out []string) {
	for _, w := range []struct {
		via  Via
		text string
	}{{HTTP, "by plain HTTP"}, {Connect, "through a tunnel (HTTPS)"}, {Upgrade, "by WebSocket"}} {
		if v&w.via != 0 {
			out = append(out, w.text)
		}
	}
	return out
}

// dayWords names days, several that follow each other by the first and the last.
func dayWords(days []time.Weekday) (out []string) {
	var set [7]bool
	for _, d := range days {
		set[d] = true
	}
	for i := range 7 { // from Monday to Sunday
		first := i
		if !set[(first+1)%7] || first > 0 && set[first] {
			continue
		}
		last := first
		for last < 6 && set[(last+2)%7] {
			last++
		}
		text := time.Weekday((first + 1) % 7).String()
		if last > first {
			text += " to " + time.Weekday((last+1)%7).String()
		}
		out = append(out, text)
	}
	return out
}

func hourWords(hours []Hours) (out []string) {
	for _, h := range hours {
		out = append(out, fmt.Sprintf("%02d:%02d to %02d:%02d", h.From/60, h.From%60, h.To/60, h.To%60))
	}
	return out
}
