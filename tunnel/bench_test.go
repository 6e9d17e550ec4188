package tunnel_test

import (
	"io"
	"net"
	"runtime"
	"sync"
	"testing"

	"github.com/jayproxy/jay/tunnel"
)

// BenchmarkRelayBulk moves bytes over one loopback connection: directly, by two
// io.Copy, which splice with two pipes for as long as the tunnel lives, and by
// Join. Sender, relay and receiver share the machine.
func BenchmarkRelayBulk(b *testing.B) {
	ways := []struct {
		name string
		join func(c, o net.Conn)
	}{
		{"direct", nil},
		{"io.Copy", func(c, o net.Conn) { go io.Copy(o, c); go io.Copy(c, o) }},
		{"Join", func(c, o net.Conn) {
			var g tunnel.Registry
			join(&g, c, o, tunnel.Early{}, tunnel.Options{})
		}},
	}
	for _, way := range ways {
		b.Run(way.name, func(b *testing.B) {
			client, c := pair(b, "tcp")
			origin := c
			if way.join != nil {
				far, o := pair(b, "tcp")
				origin = far
				way.join(c, o)
			}
			p := make([]byte, 1<<20)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			go func() {
				for {
					if _, err := origin.Write(p); err != nil {
						return
					}
				}
			}()
			sink := make([]byte, 256<<10)
			for b.Loop() {
				for n := 0; n < len(p); {
					m, err := client.Read(sink[:min(len(sink), len(p)-n)])
					if err != nil {
						b.Fatal(err)
					}
					n += m
				}
			}
		})
	}
}

// BenchmarkRelayPingPong is a chat: a short message and its short answer.
func BenchmarkRelayPingPong(b *testing.B) {
	var g tunnel.Registry
	client, origin, _ := start(b, &g, "tcp", tunnel.Early{}, tunnel.Options{})
	go io.Copy(origin, origin)
	p := make([]byte, 128)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Write(p); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(client, p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIdleTunnelMemory reports what one of 1,000 idle tunnels takes on the
// heap and in stacks.
func BenchmarkIdleTunnelMemory(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("a flow waits without a buffer on Linux and other Unix systems, and is measured on Linux")
	}
	for b.Loop() {
		b.ReportMetric(float64(idleMemory(b, 1000)), "B/tunnel")
	}
}

// BenchmarkJoin is a short tunnel: opened, one exchange, closed.
func BenchmarkJoin(b *testing.B) {
	var g tunnel.Registry
	b.ReportAllocs()
	for b.Loop() {
		client, origin := memoryPair(&g)
		var wg sync.WaitGroup
		wg.Go(func() { io.Copy(io.Discard, origin); origin.Close() })
		io.WriteString(client, "x")
		client.Close()
		wg.Wait()
	}
}

func memoryPair(g *tunnel.Registry) (client, origin net.Conn) {
	client, c := net.Pipe()
	origin, o := net.Pipe()
	join(g, c, o, tunnel.Early{}, tunnel.Options{})
	return client, origin
}
