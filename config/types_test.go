package config_test

import (
	"testing"

	"github.com/jayproxy/jay/config"
)

func TestParseSize(t *testing.T) {
	tests := []struct {
		text string
		want config.Size
		ok   bool
	}{
		{"0", 0, true},
		{"4096", 4096, true},
		{"1k", config.KiB, true},
		{"1K", config.KiB, true},
		{"64MiB", 64 * config.MiB, true},
		{"64mb", 64 * config.MiB, true},
		{"64 MiB", 64 * config.MiB, true},
		{"1g", config.GiB, true},
		{"2Gi", 2 * config.GiB, true},
		{"3T", 3 * config.TiB, true},
		{"12b", 12, true},
		{"12B", 12, true},
		{"9223372036854775807", 1<<63 - 1, true},
		{"8388607TiB", 8388607 * config.TiB, true},
		{text: "8388608TiB"},
		{text: "9223372036854775808"},
		{text: "99999999999999999999g"},
		{text: ""},
		{text: "k"},
		{text: "-1"},
		{text: "+1"},
		{text: "1.5g"},
		{text: "1e3"},
		{text: "0x10"},
		{text: "1_000"},
		{text: "1ib"},
		{text: "1i"},
		{text: "1bb"},
		{text: "1kk"},
		{text: "1gm"},
		{text: "1p"},
		{text: " 1k"},
		{text: "1%"},
	}
	for _, tt := range tests {
		got, err := config.ParseSize(tt.text)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("ParseSize(%q) = %d, %v; want %d, ok %v", tt.text, got, err, tt.want, tt.ok)
		}
	}
}

func TestSizeString(t *testing.T) {
	tests := map[config.Size]string{
		0: "0", 1: "1", 1023: "1023", 1024: "1KiB", 1536: "1536", 64 * config.MiB: "64MiB",
		1536 * config.MiB: "1536MiB", 5 * config.GiB: "5GiB", config.TiB: "1TiB",
	}
	for size, want := range tests {
		if got := size.String(); got != want {
			t.Errorf("Size(%d).String() = %q; want %q", int64(size), got, want)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"", "0", "64MiB", "1g", "9223372036854775807", "8388608TiB", "1 k", "-1", "1ib"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		size, err := config.ParseSize(text)
		if size < 0 {
			t.Fatalf("ParseSize(%q) = %d; want no negative size", text, size)
		}
		if err != nil {
			return
		}
		again, err := config.ParseSize(size.String())
		if err != nil || again != size {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", size.String(), again, err, size)
		}
	})
}

func TestParsePortRange(t *testing.T) {
	tests := []struct {
		text string
		want config.PortRange
		ok   bool
	}{
		{"443", config.PortRange{First: 443, Last: 443}, true},
		{"1025-65535", config.PortRange{First: 1025, Last: 65535}, true},
		{"80-80", config.PortRange{First: 80, Last: 80}, true},
		{text: ""},
		{text: "0"},
		{text: "0-80"},
		{text: "65536"},
		{text: "443-80"},
		{text: "80-"},
		{text: "-80"},
		{text: "80-90-100"},
		{text: "http"},
		{text: "+80"},
		{text: " 80"},
	}
	for _, tt := range tests {
		got, err := config.ParsePortRange(tt.text)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("ParsePortRange(%q) = %v, %v; want %v, ok %v", tt.text, got, err, tt.want, tt.ok)
		}
	}
}

func TestPortRangeContains(t *testing.T) {
	r := config.PortRange{First: 80, Last: 443}
	for port, want := range map[uint16]bool{79: false, 80: true, 100: true, 443: true, 444: false} {
		if got := r.Contains(port); got != want {
			t.Errorf("Contains(%d) = %v; want %v", port, got, want)
		}
	}
}
