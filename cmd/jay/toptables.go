package main

import (
	"fmt"
	"strconv"

	"github.com/jayproxy/jay/proxy"
	"github.com/jayproxy/jay/proxy/access"
)

// hostRows is the table of the busiest hosts.
func (v *view) hostRows(width, n int) []row {
	if n <= 0 {
		return nil
	}
	name := max(10, width-33)
	rows := []row{{}, {fmt.Sprintf("%-*s %9s %10s %11s", name, "Host", "requests", "from cache", "bytes"), heading}}
	for _, h := range v.latest.Hosts[:n] {
		share := "-"
		if h.Requests > 0 {
			share = percent(float64(h.Hits) / float64(h.Requests))
		}
		rows = append(rows, row{text: fmt.Sprintf("%-*s %9d %10s %11s", name, fit(printable(h.Host), name), h.Requests, share, bytesText(h.Bytes))})
	}
	return rows
}

// recentRows is the table of the last decisions.
func (v *view) recentRows(width, n int) []row {
	if n < 0 {
		return nil
	}
	rows := []row{{}, {fmt.Sprintf("%-8s %4s %9s %7s  %-*s %s", "Time", "code", "bytes", "took", why(width), "decision", "request"), heading}}
	if n == 0 {
		return append(rows, row{text: "nothing has been asked yet"})
	}
	for _, r := range v.latest.Recent[:n] {
		decision := string(r.Decision)
		if r.Reason != "" && r.Reason != decision {
			decision += ", " + r.Reason
		}
		if r.Rule != "" {
			decision += ", rule " + r.Rule
		}
		text := fmt.Sprintf("%s %4s %9s %7s  %-*s %s %s", r.Time.Format("15:04:05"), statusText(r.Status), bytesText(r.BytesOut), shortTime(r.Duration),
			why(width), fit(printable(decision), why(width)), printable(r.Method), printable(r.URL))
		rows = append(rows, row{text, decisionStyle(&r)})
	}
	return rows
}

// why is the width of the column for decisions.
func why(width int) int { return min(max(width/5, 12), 40) }

func statusText(status int) string {
	if status == 0 {
		return "-"
	}
	return strconv.Itoa(status)
}

func decisionStyle(r *proxy.Finished) rowStyle {
	switch r.Decision {
	case access.Failed, access.Denied:
		return bad
	case access.Hit, access.Stale, access.Revalidated, access.Collapsed:
		return good
	}
	return plain
}
