package wire_test

import (
	"errors"
	"fmt"
	"io"

	"github.com/jayproxy/jay/proxy/wire"
)

func ExampleReader() {
	conn := whole("POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello" +
		"GET http://b.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n" +
		"GET /c HTTP/1.1\r\nHost : c.test\r\n\r\n")
	r := wire.NewReader(conn)
	var req wire.Request
	var body wire.Body
	for r.Wait() == nil {
		head, err := r.Head(wire.Limits{})
		if err == nil {
			err = wire.ParseRequest(head, wire.Limits{}, &req)
		}
		if bad := (*wire.Error)(nil); errors.As(err, &bad) {
			fmt.Println(bad.Status, bad.Detail)
			break
		}
		r.Body(&body, req.Body)
		fmt.Printf("%s %s at %s: ", req.Method, req.URI.Path, req.URI.Host)
		data, err := io.ReadAll(&body)
		fmt.Printf("%q %v\n", data, err)
	}
	// Output:
	// POST /a at a.test: "hello" <nil>
	// GET / at b.test: "" <nil>
	// 400 white space before the colon of a field
}

func ExampleParseAuthority() {
	host, port, err := wire.ParseAuthority("[2001:DB8::1]:8080")
	fmt.Println(host, port, err)
	_, _, err = wire.ParseAuthority("user@example.org")
	fmt.Println(err)
	// Output:
	// 2001:db8::1 8080 <nil>
	// wire: user information in an authority
}
