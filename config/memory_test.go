package config_test

import (
	"testing"
	"testing/fstest"

	"github.com/jayproxy/jay/config"
)

func TestMemoryLimit(t *testing.T) {
	const meminfo = "MemTotal:       24684532 kB\nMemFree:        23000000 kB\n"
	const total = 24684532 << 10
	tests := []struct {
		name       string
		files      map[string]string
		goMemLimit string
		want       int64
	}{
		{"nothing", nil, "", 0},
		{"machine", map[string]string{"proc/meminfo": meminfo}, "", total},
		{"junk", map[string]string{"proc/meminfo": "MemTotal: many kB\n", "proc/self/cgroup": "x\n0::\n", "sys/fs/cgroup/memory.max": "??"}, "", 0},
		{"variable", map[string]string{"proc/meminfo": meminfo}, "2GiB", 2 << 30},
		{"variable off", map[string]string{"proc/meminfo": meminfo}, "off", total},
		{"variable larger", map[string]string{"proc/meminfo": meminfo}, "1TiB", total},
		{"v2 max", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, "", total},
		{"v2 root", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "536870912\n"}, "", 512 << 20},
		{"v2 nested", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/system.slice/jay.service\n",
			"sys/fs/cgroup/system.slice/jay.service/memory.max": "1073741824\n"}, "", 1 << 30},
		{"v2 parent is less", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/system.slice/jay.service\n",
			"sys/fs/cgroup/system.slice/jay.service/memory.max": "1073741824\n", "sys/fs/cgroup/system.slice/memory.max": "536870912\n"}, "", 512 << 20},
		{"v2 path outside", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/../../docker/abc\n",
			"sys/fs/cgroup/memory.max": "268435456\n"}, "", 256 << 20},
		{"v1", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "5:cpu,cpuacct:/a\n4:memory:/docker/abc\n",
			"sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "134217728\n"}, "", 128 << 20},
		{"v1 in a container", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "4:memory:/docker/abc\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "134217728\n"}, "", 128 << 20},
		{"v1 none", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "4:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, "", total},
		{"all", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "536870912\n"}, "100MiB", 100 << 20},
	}
	for _, tt := range tests {
		root := fstest.MapFS{}
		for name, data := range tt.files {
			root[name] = &fstest.MapFile{Data: []byte(data)}
		}
		if got := config.MemoryLimit(root, tt.goMemLimit); got != tt.want {
			t.Errorf("%s: MemoryLimit() = %d; want %d", tt.name, got, tt.want)
		}
	}
}
