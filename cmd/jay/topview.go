package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/admin"
)

// view is what jay top shows: the latest figures, and those before them to tell how fast they grow.
type view struct {
	address string
	utf8    bool   // characters beyond ASCII may be drawn
	trouble string // why there are no newer figures; empty: there are

	before, now admin.Figures
	latest      admin.Latest
	speeds      []float64 // requests a second, oldest first
}

// speedsKept is how many of them there are at most: more than a line can show.
const speedsKept = 512

// add takes the latest figures. Those of a Jay that has been started again have nothing to do with older ones.
func (v *view) add(f *admin.Figures, latest *admin.Latest) {
	v.trouble = ""
	if v.now.Started.Equal(f.Started) {
		v.before = v.now
		v.speeds = append(v.speeds, v.rate(v.before.Requests, f.Requests, f))
	} else {
		v.before, v.speeds = admin.Figures{}, nil
	}
	v.now, v.latest = *f, *latest
	if n := len(v.speeds) - speedsKept; n > 0 {
		v.speeds = append(v.speeds[:0], v.speeds[n:]...)
	}
}

// rate is the growth of a count by the second, from the figures before to those at hand.
func (v *view) rate(before, now int64, at *admin.Figures) float64 {
	t := at.Now.Sub(v.before.Now).Seconds()
	if v.before.Now.IsZero() || t <= 0 || now < before {
		return 0
	}
	return float64(now-before) / t
}

// since is the rate of a count that the figures have.
func (v *view) since(count func(*admin.Figures) int64) float64 {
	return v.rate(count(&v.before), count(&v.now), &v.now)
}

func (v *view) requestRate() float64 {
	return v.since(func(f *admin.Figures) int64 { return f.Requests })
}
func (v *view) byteRate() float64 {
	return v.since(func(f *admin.Figures) int64 { return f.BytesOut })
}
func (v *view) hitByteRate() float64 {
	return v.since(func(f *admin.Figures) int64 { return f.BytesHit })
}

// hitsNow is the share of the last interval's answers that came from the cache.
func (v *view) hitsNow() string {
	answers := v.since(func(f *admin.Figures) int64 { return f.Requests - f.Tunnels })
	if answers == 0 {
		return "-"
	}
	return percent(v.since(func(f *admin.Figures) int64 { return f.Hits }) / answers)
}

// rowStyle is how a row is drawn where there are colours.
type rowStyle uint8

const (
	plain rowStyle = iota
	heading
	title
	good
	bad
)

// row is one line of the screen, no wider than it.
type row struct {
	text  string
	style rowStyle
}

// render draws the view: at most height rows, none wider than width. All but the bars that it draws itself is printable
// ASCII, whatever clients and origins have sent.
func (v *view) render(width, height int) []row {
	rows := append([]row{{v.titleText(width), title}}, v.summary(width)...)
	if v.trouble != "" {
		rows = append(rows, row{printable(v.trouble) + "; trying again", bad})
	}
	if left := height - len(rows) - 1; left >= 3 {
		hosts, recent := share(left, len(v.latest.Hosts), len(v.latest.Recent))
		rows = append(append(rows, v.hostRows(width, hosts)...), v.recentRows(width, recent)...)
	}
	rows = rows[:max(0, min(len(rows), height-1))]
	rows = append(rows, row{"q: quit", plain})
	for i := range rows {
		if !v.utf8 {
			rows[i].text = strings.ReplaceAll(rows[i].text, "µs", "us")
		}
		rows[i].text = fit(rows[i].text, width)
	}
	return rows[:min(len(rows), max(height, 0))]
}

// share divides the rows that are left between the two tables, each with an empty row and a heading. The hosts get a third,
// unless one of the tables needs less.
func share(left, hosts, recent int) (int, int) {
	const frame = 2
	if left < 3*frame {
		return 0, min(left-frame, recent)
	}
	left -= 2 * frame
	h := min(hosts, max(left/3, left-recent))
	return h, min(recent, left-h)
}

// titleText has the name at the left and the time at the right.
func (v *view) titleText(width int) string {
	left := "jay " + printable(v.now.Version) + " at " + printable(v.address) + ", up " + v.now.Uptime.Duration().Round(time.Second).String()
	clock := v.now.Now.Format("15:04:05")
	if gap := width - len(left) - len(clock); gap > 0 {
		return left + strings.Repeat(" ", gap) + clock
	}
	return left
}

// summary are the figures above the tables.
func (v *view) summary(width int) []row {
	f := &v.now
	by := map[access.Decision]admin.DecisionFigures{}
	for _, d := range f.Decisions {
		by[d.Decision] = d
	}
	hit, miss := by[access.Hit], by[access.Miss]
	total := v.byteRate()
	requests := fmt.Sprintf("Requests    %s/s, %d since the start ", speed(v.requestRate()), f.Requests)
	lines := []string{
		requests + v.sparkline(width-len(requests)),
		fmt.Sprintf("To clients  %s/s: %s/s from the cache, %s/s from origins", bytesText(int64(total)), bytesText(int64(v.hitByteRate())), bytesText(int64(total-v.hitByteRate()))),
		fmt.Sprintf("From cache  now %s; since the start %s of requests, %s of bytes", v.hitsNow(), percent(f.HitRatio), percent(f.ByteHitRatio)),
		fmt.Sprintf("Time        hits %s, 99 %% in %s; misses %s, 99 %% in %s", shortTime(hit.P50), shortTime(hit.P99), shortTime(miss.P50), shortTime(miss.P99)),
		v.storedText(width),
		fmt.Sprintf("Open        %d client connections, %d tunnels; memory %s", f.Connections, f.OpenTunnels, bytesText(f.Memory)),
		fmt.Sprintf("Trouble     %d errors, %d invalid requests, %d refused connections", f.Failures, f.RefusedRequests, f.RefusedConnections),
	}
	rows := make([]row, len(lines))
	for i, l := range lines {
		rows[i].text = l
	}
	return rows
}

// storedText says how full the cache is, with a bar where there is room.
func (v *view) storedText(width int) string {
	c := &v.now.Cache
	used := c.Bytes + c.Overhead
	text := fmt.Sprintf("Stored      %s, overhead %s, of %s; %s ", bytesText(c.Bytes), bytesText(c.Overhead), bytesText(c.MaxBytes), responses(c.Entries))
	cells := min(width-len(text)-2, 30)
	if cells < 5 || c.MaxBytes <= 0 {
		return text
	}
	full := int(min(used, c.MaxBytes) * int64(cells) / c.MaxBytes)
	return text + "[" + strings.Repeat("#", full) + strings.Repeat("-", cells-full) + "]"
}

// sparkline draws the last speeds as far as there is room.
func (v *view) sparkline(width int) string {
	bars := []rune(" .:-=+*#%@")
	if v.utf8 {
		bars = []rune(" ▁▂▃▄▅▆▇█")
	}
	list := v.speeds[max(0, len(v.speeds)-max(0, width)):]
	top := 0.0
	for _, s := range list {
		top = max(top, s)
	}
	var b strings.Builder
	for _, s := range list {
		i := 0
		if s > 0 {
			i = 1 + int(s/top*float64(len(bars)-2))
		}
		b.WriteRune(bars[i])
	}
	return b.String()
}

// speed is a number a second.
func speed(x float64) string {
	if x < 100 {
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 0, 64)
}

// printable shows what is no printable ASCII by its number, so that nothing that others have sent moves the cursor or
// takes two columns.
func printable(s string) string {
	q := strconv.QuoteToASCII(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// fit cuts a text to a width.
func fit(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	if width < 3 {
		return string([]rune(s)[:max(0, width)])
	}
	return string([]rune(s)[:width-2]) + ".."
}

// lineHead is above the lines of jay top where there is no screen; lineHeadEvery is how often.
const (
	lineHead      = "    time   req/s  hits now     bytes/s  from cache/s  stored      memory      conns  tunnels  errors\n"
	lineHeadEvery = 20
)

// line is the view in one line.
func (v *view) line() string {
	f := &v.now
	return fmt.Sprintf("%s %7s %9s %11s %13s  %-10s  %-10s %6d %8d %7d\n", f.Now.Format("15:04:05"), speed(v.requestRate()), v.hitsNow(),
		bytesText(int64(v.byteRate())), bytesText(int64(v.hitByteRate())), bytesText(f.Cache.Bytes+f.Cache.Overhead), bytesText(f.Memory), f.Connections, f.OpenTunnels, f.Failures)
}
