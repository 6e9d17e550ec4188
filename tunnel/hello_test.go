package tunnel_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/jayproxy/jay/tunnel"
)

// hello returns what a TLS client sends first.
func hello(tb testing.TB, config *tls.Config) []byte {
	tb.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	config.InsecureSkipVerify = true // there is no handshake: the first record is all
	go tls.Client(a, config).Handshake()
	head := make([]byte, 16<<10)
	n, err := b.Read(head)
	if err != nil {
		tb.Fatal(err)
	}
	return head[:n]
}

// records cuts the payload of one record into several of so many bytes.
func records(record []byte, size int) []byte {
	var out []byte
	for part := range slices.Chunk(record[5:], size) {
		out = append(out, record[:3]...)
		out = binary.BigEndian.AppendUint16(out, uint16(len(part)))
		out = append(out, part...)
	}
	return out
}

// handmade builds a ClientHello with the given extensions.
func handmade(extensions ...[]byte) []byte {
	body := append([]byte{3, 3}, make([]byte, 32)...)
	body = append(body, 0)                // legacy_session_id
	body = append(body, 0, 2, 0x13, 0x01) // cipher_suites
	body = append(body, 1, 0)             // legacy_compression_methods
	all := slices.Concat(extensions...)
	body = binary.BigEndian.AppendUint16(body, uint16(len(all)))
	return message(append(body, all...))
}

func message(body []byte) []byte {
	msg := append([]byte{1, 0, byte(len(body) >> 8), byte(len(body))}, body...)
	rec := binary.BigEndian.AppendUint16([]byte{22, 3, 1}, uint16(len(msg)))
	return append(rec, msg...)
}

func extension(kind uint16, data ...byte) []byte {
	e := binary.BigEndian.AppendUint16(nil, kind)
	e = binary.BigEndian.AppendUint16(e, uint16(len(data)))
	return append(e, data...)
}

func name(s string) []byte {
	d := binary.BigEndian.AppendUint16(nil, uint16(len(s)+3))
	d = append(d, 0)
	d = binary.BigEndian.AppendUint16(d, uint16(len(s)))
	return extension(0, append(d, s...)...)
}

func protocols(names ...string) []byte {
	var list []byte
	for _, n := range names {
		list = append(append(list, byte(len(n))), n...)
	}
	return extension(16, append(binary.BigEndian.AppendUint16(nil, uint16(len(list))), list...)...)
}

func TestServerName_RFC6066_3(t *testing.T) {
	h2 := []string{"h2", "http/1.1"}
	full := hello(t, &tls.Config{ServerName: "www.example.org", NextProtos: h2})
	bare := hello(t, &tls.Config{})
	long := strings.Repeat("a", 256)
	tests := []struct {
		name  string
		hello []byte
		sni   string
		alpn  []string
		ok    bool
	}{
		{"a Go client", full, "www.example.org", h2, true},
		{"without a name", bare, "", nil, true},
		{"TLS 1.2 only", hello(t, &tls.Config{ServerName: "old.test", MaxVersion: tls.VersionTLS12}), "old.test", nil, true},
		{"several records", records(full, 100), "www.example.org", h2, true},
		{"records of one byte", records(full, 1), "www.example.org", h2, true},
		{"with bytes after it", append(slices.Clone(full), "more"...), "www.example.org", h2, true},
		{"handmade", handmade(name("a.test"), protocols("h2")), "a.test", []string{"h2"}, true},
		{"no extensions at all", message(append(append([]byte{3, 3}, make([]byte, 32)...), 0, 0, 2, 0, 1, 1, 0)), "", nil, true},
		{"upper case", handmade(name("WWW.Example.ORG")), "www.example.org", nil, true},
		{"first of two", handmade(name("a.test"), name("b.test")), "a.test", nil, true},
		{"control byte in the name", handmade(name("a\r\nb")), "", nil, true},
		{"8-bit name", handmade(name("b\xfccher.test")), "", nil, true},
		{"empty name", handmade(name("")), "", nil, true},
		{"name of 256 bytes", handmade(name(long)), "", nil, true},
		{"name of 255 bytes", handmade(name(long[:255])), long[:255], nil, true},
		{"name longer than its extension", handmade(extension(0, 0, 9, 0, 0, 9, 'a')), "", nil, true},
		{"unprintable protocol", handmade(protocols("h2", "a\x00b", "x")), "", []string{"h2", "x"}, true},
		{"empty protocol", handmade(protocols("")), "", nil, true},
		{"protocol longer than its list", handmade(extension(16, 0, 3, 9, 'h', '2')), "", nil, true},
		{"extension longer than the list", handmade(name("a.test"), []byte{0, 16, 0xff, 0xff}), "a.test", nil, false},
		{"cut after the name", handmade(name("a.test"), make([]byte, 400))[:70], "a.test", nil, false},
		{"not a ClientHello", append([]byte{22, 3, 1, 0, 4}, 2, 0, 0, 0), "", nil, false},
		{"too long a ClientHello", append([]byte{22, 3, 1, 0, 4}, 1, 0xff, 0, 0), "", nil, false},
		{"alert", []byte{21, 3, 1, 0, 2, 2, 40}, "", nil, false},
		{"empty record", []byte{22, 3, 1, 0, 0}, "", nil, false},
		{"too large a record", append([]byte{22, 3, 1, 0xff, 0xff}, full[5:]...), "", nil, false},
		{"SSL 2", []byte{0x80, 0x2e, 1, 3, 1}, "", nil, false},
		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), "", nil, false},
		{"nothing", nil, "", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sni, alpn, ok := tunnel.ServerName(tt.hello)
			if sni != tt.sni || !slices.Equal(alpn, tt.alpn) || ok != tt.ok {
				t.Errorf("got %q, %q, %v; want %q, %q, %v", sni, alpn, ok, tt.sni, tt.alpn, tt.ok)
			}
		})
	}
}

// However a hello is cut, it is not taken for a whole one.
func TestServerName_EveryPrefix(t *testing.T) {
	full := hello(t, &tls.Config{ServerName: "www.example.org", NextProtos: []string{"h2"}})
	for n := range full {
		if sni, _, ok := tunnel.ServerName(full[:n]); ok || (sni != "" && sni != "www.example.org") {
			t.Errorf("%d of %d bytes: got %q, %v; want no whole hello", n, len(full), sni, ok)
		}
	}
}

// seeds are the same in every process, which fuzzing needs.
func seeds(f *testing.F) {
	full := handmade(name("www.example.org"), extension(43, 2, 3, 4), extension(10, 0, 2, 0, 29), protocols("h2", "http/1.1"))
	f.Add(full)
	f.Add(records(full, 33))
	f.Add(full[:70])
	f.Add(handmade(name("a.test"), []byte{0, 16, 0xff, 0xff}))
	f.Add([]byte{22, 3, 1, 0, 4, 1, 0, 0xff, 0xff})
}

// Whatever comes in, what goes into a log is a host name and printable words.
func FuzzServerName(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		sni, alpn, _ := tunnel.ServerName(b)
		if len(sni) > 255 || strings.ContainsFunc(sni, func(r rune) bool { return r <= ' ' || r >= 0x7f || 'A' <= r && r <= 'Z' }) {
			t.Errorf("name %q", sni)
		}
		for _, p := range alpn {
			if p == "" || strings.ContainsFunc(p, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
				t.Errorf("protocol %q", p)
			}
		}
	})
}

// What crypto/tls accepts is read as crypto/tls reads it.
func FuzzServerName_LikeTLS(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		sni, _, ok := tunnel.ServerName(b)
		want, read := readByTLS(b)
		if read && !ok {
			t.Error("crypto/tls takes it for whole, ServerName does not")
		}
		if read && sni != "" && want != sni {
			t.Errorf("got %q; want %q", sni, want)
		}
	})
}

// readByTLS lets crypto/tls read the same bytes.
func readByTLS(b []byte) (sni string, read bool) {
	conn := &oneWay{in: bytes.NewReader(b)}
	server := tls.Server(conn, &tls.Config{GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
		sni, read = strings.ToLower(info.ServerName), true
		return nil, net.ErrClosed
	}})
	_ = server.Handshake()
	return sni, read
}

// oneWay is a connection that reads given bytes and writes nowhere.
type oneWay struct {
	net.Conn
	in *bytes.Reader
}

func (c *oneWay) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *oneWay) Write(p []byte) (int, error) { return len(p), nil }
func (c *oneWay) Close() error                { return nil }

func BenchmarkServerName(b *testing.B) {
	h := hello(b, &tls.Config{ServerName: "www.example.org", NextProtos: []string{"h2", "http/1.1"}})
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := tunnel.ServerName(h); !ok {
			b.Fatal("not read")
		}
	}
}
