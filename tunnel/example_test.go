package tunnel_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jayproxy/jay/tunnel"
)

func ExampleRegistry_Join() {
	var tunnels tunnel.Registry
	client, accepted := net.Pipe()
	dialled, origin := net.Pipe()

	go func() {
		// What was read together with the CONNECT head goes out first.
		early := tunnel.Early{FromClient: []byte("hel")}
		tunnels.Join(context.Background(), accepted, dialled, early, tunnel.Options{})
	}()
	go func() {
		io.WriteString(client, "lo")
		client.Close()
	}()
	got, err := io.ReadAll(origin)
	fmt.Printf("%s %v\n", got, err)

	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(tunnels.Shutdown(grace))
	// Output:
	// hello <nil>
	// <nil>
}
