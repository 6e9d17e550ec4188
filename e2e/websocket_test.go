package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/jayproxy/jay/e2e/process"
)

const socketMessage = 1 << 20

// startSocketServer serves WebSocket echo on l: subprotocol chat, messages of
// up to a MiB; a request that is no handshake gets 426.
func startSocketServer(t *testing.T, l net.Listener) *socketServer {
	t.Helper()
	s := &socketServer{}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go s.server.Serve(l)
	t.Cleanup(func() { s.server.Close() })
	return s
}

type socketServer struct {
	server *http.Server

	mu    sync.Mutex
	heads []http.Header
	open  int
}

func (s *socketServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.heads = append(s.heads, r.Header.Clone())
	s.open++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.open--
		s.mu.Unlock()
	}()
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{"chat"}, InsecureSkipVerify: true, CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(2 * socketMessage)
	for {
		kind, msg, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), kind, msg); err != nil {
			return
		}
	}
}

// connected returns how many sockets the server holds.
func (s *socketServer) connected() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// client returns an HTTP client that goes this way.
func (w way) client() *http.Client {
	tr := &http.Transport{DisableCompression: true, DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
		return w.open(address)
	}}
	if !w.transparent {
		tr.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: w.addr})
	}
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// socket opens a WebSocket to address ("host:port/path") this way.
func (w way) socket(ctx context.Context, address string) (*websocket.Conn, error) {
	c, _, err := websocket.Dial(ctx, "ws://"+address, &websocket.DialOptions{
		HTTPClient: w.client(), Subprotocols: []string{"chat"}})
	if err == nil {
		c.SetReadLimit(2 * socketMessage)
	}
	return c, err
}

// checkSocket chats: subprotocol, small and large messages both ways, ping,
// close handshake.
func checkSocket(t *testing.T, w way, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := w.socket(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if got := c.Subprotocol(); got != "chat" {
		t.Errorf("got subprotocol %q; want chat", got)
	}
	for _, n := range []int{0, 1, 125, 126, 65535, 65536, socketMessage} {
		want := bytes.Repeat([]byte{byte(n), 0xff, 0}, n/3+1)[:n]
		if err := c.Write(ctx, websocket.MessageBinary, want); err != nil {
			t.Fatal(err)
		}
		if _, got, err := c.Read(ctx); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: got %d, %v; want the same back", n, len(got), err)
		}
	}
	ctx = c.CloseRead(ctx)
	if err := c.Ping(ctx); err != nil {
		t.Errorf("ping: %v", err)
	}
	if err := c.Close(websocket.StatusNormalClosure, "bye"); err != nil {
		t.Errorf("close: %v", err)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestWebSocket_RFC6455: a chat through both listeners, also when many are
// open, and nothing is left of them in the end.
func TestWebSocket_RFC6455(t *testing.T) {
	t.Parallel()
	l := listen(t)
	s := startSocketServer(t, l)
	j := startJay(t)
	address := l.Addr().String() + "/chat?room=1"
	eachWay(t, j, func(t *testing.T, w way) {
		checkSocket(t, w, address)
		s.mu.Lock()
		h := s.heads[len(s.heads)-1]
		s.mu.Unlock()
		if !strings.EqualFold(h.Get("Upgrade"), "websocket") || h.Get("Sec-Websocket-Version") != "13" || h.Get("Sec-Websocket-Key") == "" || h.Get("Via") == "" {
			t.Errorf("server got %v; want the handshake intact, with Via", h)
		}
	})
	if _, ok := j.WaitLog(func(e process.Entry) bool { return e.String("status") == "101" }); !ok {
		t.Errorf("log has no 101: %v", j.Log())
	}
}

// TestWebSocket_refused: an answer other than 101 is an ordinary response.
func TestWebSocket_refused(t *testing.T) {
	t.Parallel()
	l := listen(t)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Answer", "ordinary")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "not you")
	})}
	go server.Serve(l)
	defer server.Close()
	j := startJay(t)
	eachWay(t, j, func(t *testing.T, w way) {
		resp := w.do(t, "GET", l.Addr().String(), "/", handshake(), "")
		if resp.Code != 403 || string(resp.Body) != "not you" || resp.Fields.Get("X-Answer") != "ordinary" {
			t.Errorf("got %v; want the server's 403", resp)
		}
	})
}

// TestWebSocket_nothingLeaks: descriptors after 1,000 closed sockets.
func TestWebSocket_nothingLeaks(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("skipped: counting descriptors needs Linux's /proc")
	}
	l := listen(t)
	s := startSocketServer(t, l)
	j := startJay(t)
	w := waysOf(j)[0]
	before, err := j.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	const rounds, atOnce = 10, 100
	for round := range rounds {
		var wg sync.WaitGroup
		for i := range atOnce {
			wg.Go(func() {
				c, err := w.socket(t.Context(), l.Addr().String()+"/")
				if err != nil {
					t.Error(err)
					return
				}
				if i%2 == 0 {
					c.CloseNow() // the client vanishes
				} else if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		wg.Wait()
	}
	eventually(t, "the server's sockets end", func() bool { return s.connected() == 0 })
	eventually(t, "descriptors go back", func() bool {
		now, err := j.Descriptors()
		return err == nil && now <= before+8
	})
	if now, _ := j.Descriptors(); now > before+8 {
		t.Errorf("got %d descriptors after 1,000 sockets; want about the %d before", now, before)
	}
}
