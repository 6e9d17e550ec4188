package upstream_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/jayproxy/jay/proxy/upstream"
)

func ExampleClient_Do() {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s for %s", r.Method, r.URL, r.Host)
	}))
	defer origin.Close()

	client := upstream.New(upstream.Options{})
	defer client.Close()
	resp, err := client.Do(context.Background(), upstream.Origin{
		Host: "a.example",
		Addr: netip.MustParseAddrPort(origin.Listener.Addr().String()),
	}, &upstream.Request{
		Method: "GET",
		Head:   []byte("GET /path HTTP/1.1\r\nHost: a.example\r\n\r\n"),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(resp.Status, resp.Reason, resp.Fields.Get("content-type"))
	fmt.Println(string(body), err)
	// Output:
	// 200 OK text/plain; charset=utf-8
	// GET /path for a.example <nil>
}
