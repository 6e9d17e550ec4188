package config

import (
	"bufio"
	"bytes"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// MemoryLimit returns how many bytes of memory the process may use: the least of the machine's memory, the limits of
// its control groups (versions 1 and 2, parents included) and goMemLimit, the value of GOMEMLIMIT. It returns 0 when
// nothing is known. root is the root of the file system, of which /proc and /sys/fs/cgroup are read.
func MemoryLimit(root fs.FS, goMemLimit string) int64 {
	least := int64(0)
	note := func(n int64) {
		if n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	note(physical(root))
	note(parseGoMemLimit(goMemLimit))
	for _, name := range limitFiles(root) {
		note(readLimit(root, name))
	}
	return least
}

// physical reads the machine's memory, which is also what an unlimited control group may use.
func physical(root fs.FS) int64 {
	data, _ := fs.ReadFile(root, "proc/meminfo")
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 53)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

// parseGoMemLimit reads the runtime's own notation: bytes, or B, KiB, MiB, GiB, TiB.
func parseGoMemLimit(text string) int64 {
	if text == "" || text == "off" {
		return 0
	}
	size, err := ParseSize(text)
	if err != nil {
		return 0 // the runtime refuses to start with a malformed one
	}
	return int64(size)
}

// limitFiles lists the files that may limit the process's control groups. A container often sees its own group as the
// root of the hierarchy although /proc/self/cgroup names the path outside, so that every parent is tried too.
func limitFiles(root fs.FS) []string {
	const mount = "sys/fs/cgroup"
	data, _ := fs.ReadFile(root, "proc/self/cgroup")
	names := parents(mount, "/", "memory.max")
	names = append(names, parents(mount+"/memory", "/", "memory.limit_in_bytes")...)
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		parts := strings.SplitN(lines.Text(), ":", 3) // hierarchy:controllers:path
		if len(parts) != 3 {
			continue
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			switch controller {
			case "":
				names = append(names, parents(mount, parts[2], "memory.max")...)
			case "memory":
				names = append(names, parents(mount+"/memory", parts[2], "memory.limit_in_bytes")...)
			}
		}
	}
	return names
}

// parents lists file in the group's directory below mount and in each directory above it.
func parents(mount, group, file string) []string {
	var names []string
	for dir := path.Clean("/" + group); ; dir = path.Dir(dir) {
		names = append(names, path.Join(mount, dir, file))
		if dir == "/" {
			return names
		}
	}
}

// readLimit reads a number of bytes; "max" and the huge number that version 1 writes for it are no limit.
func readLimit(root fs.FS, name string) int64 {
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil || n >= 1<<60 {
		return 0
	}
	return n
}
