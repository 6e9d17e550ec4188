package origin

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jayproxy/jay/e2e/rawhttp"
)

// Fault is a way in which an origin fails.
type Fault string

// The faults of Faults. FaultNone answers well.
const (
	FaultNone      Fault = "ok"
	FaultResetHead Fault = "reset-head" // RST before any byte of the answer
	FaultResetMid  Fault = "reset-mid"  // RST after half of the body
	FaultResetEnd  Fault = "reset-end"  // RST one byte before the end
	FaultFIN       Fault = "fin"        // FIN after half of the body
	FaultFINHead   Fault = "fin-head"   // FIN inside the head
	FaultStall     Fault = "stall"      // silence after half of the body, for as long as the client waits
	FaultDrip      Fault = "drip"       // one byte per 10 ms
	FaultBadChunk  Fault = "bad-chunk"  // a chunk line that is no number after half of the body
	FaultNoLast    Fault = "no-last"    // chunked without the last chunk, then FIN
	FaultCloseRST  Fault = "close-rst"  // delimited by the connection's end, which is a RST
)

// AllFaults lists every fault but FaultNone.
func AllFaults() []Fault {
	return []Fault{FaultResetHead, FaultResetMid, FaultResetEnd, FaultFIN, FaultFINHead, FaultStall, FaultDrip,
		FaultBadChunk, FaultNoLast, FaultCloseRST}
}

// FaultPath returns a target for Faults: the fault, the size of the body, the
// version and a name that makes the URL unique. The body is that of
// FaultContent(target).
func FaultPath(f Fault, size int64, version int, name string) string {
	return fmt.Sprintf("/%s/%d/%d/%s", f, size, version, name)
}

// FaultContent returns the content that Faults serves for a target.
func FaultContent(target string) (Fault, Content, bool) {
	p := strings.SplitN(strings.TrimPrefix(target, "/"), "/", 4)
	if len(p) != 4 {
		return "", Content{}, false
	}
	size, err1 := strconv.ParseInt(p[1], 10, 64)
	version, err2 := strconv.Atoi(p[2])
	return Fault(p[0]), Content{Key: p[3], Version: version, Size: size}, err1 == nil && err2 == nil
}

// Faults is a Handler that fails as its request's target says; FaultPath makes
// the targets. Every answer claims to be fresh for a minute.
func Faults(x *Exchange) {
	f, c, ok := FaultContent(x.Req.Target)
	if !ok {
		x.Reply("404 Not Found", nil, "no such fault\n")
		return
	}
	fields := rawhttp.F("Date", Date(time.Now()), "Cache-Control", "max-age=60")
	length := append(fields, rawhttp.F("Content-Length", strconv.FormatInt(c.Size, 10))...)
	chunked := append(fields[:2:2], rawhttp.F("Transfer-Encoding", "chunked")...)
	half := c.Size / 2
	switch f {
	case FaultNone:
		c.Serve(x, fields[1:])
	case FaultResetHead:
		x.Reset()
	case FaultFINHead:
		x.Send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Le")
		x.Close()
	case FaultResetMid, FaultResetEnd:
		x.Head("200 OK", length)
		c.Copy(x, 0, map[Fault]int64{FaultResetMid: half, FaultResetEnd: c.Size - 1}[f])
		pause(x) // a RST overtakes what the peer has not read
		x.Reset()
	case FaultFIN:
		x.Head("200 OK", length)
		c.Copy(x, 0, half)
		x.Close()
	case FaultStall:
		x.Head("200 OK", length)
		c.Copy(x, 0, half)
		for !x.Gone(time.Second) {
		}
		x.Close()
	case FaultDrip:
		x.Head("200 OK", length)
		drip(x, c)
	case FaultBadChunk, FaultNoLast:
		x.Head("200 OK", chunked)
		b, _ := io.ReadAll(c.Reader(0, half))
		x.Chunk(string(b))
		if f == FaultBadChunk {
			x.Send("zz\r\n")
		}
		x.Close()
	case FaultCloseRST:
		x.Head("200 OK", append(fields, rawhttp.F("Connection", "close")...))
		c.Copy(x, 0, half)
		pause(x)
		x.Reset()
	default:
		x.Reply("404 Not Found", nil, "no such fault\n")
	}
}

func pause(x *Exchange) { x.Gone(50 * time.Millisecond) }

func drip(x *Exchange, c Content) {
	for i := range c.Size {
		c.Copy(x, i, i+1)
		if x.over || x.Gone(10*time.Millisecond) {
			x.Close()
			return
		}
	}
}
