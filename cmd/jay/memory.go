package main

import (
	"runtime/debug"
	"time"
)

// A collector fits Go's garbage collection to the size of the cache: rarely while there is little to look through, and
// before garbage takes much memory beside a full cache. When nothing has been stored for a while, it gives free memory
// back to the system.
type collector struct {
	off     bool  // the environment sets GOGC
	percent int   // as set last
	puts    int64 // how many responses had been stored at the last look
	quiet   int   // looks since then that found no more
}

// How often the collector looks, and after how many looks without change it gives memory back.
const (
	collectEvery = 5 * time.Second
	quietLooks   = 6
)

// look sets what fits a cache that holds so many bytes and has stored so many responses.
func (g *collector) look(bytes, puts int64) {
	if g.off {
		return
	}
	if p := gcPercent(bytes); p < g.percent*9/10 || p > g.percent*11/10 {
		debug.SetGCPercent(p)
		g.percent = p
	}
	if puts != g.puts {
		g.puts, g.quiet = puts, 0
		return
	}
	if g.quiet++; g.quiet == quietLooks {
		debug.FreeOSMemory()
	}
}

// gcPercent is by how much the heap may grow between two collections beside a cache of so many bytes: by 64 MiB, or by
// an eighth of a large cache, whose records cost a collection next to nothing, and never by more than four times what is
// in use.
func gcPercent(bytes int64) int {
	const base = 16 << 20 // what is in use beside the cache, roughly
	room := max(64<<20, bytes/8)
	return int(min(400, room*100/(bytes+base)))
}
