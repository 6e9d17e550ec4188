// Package chromium drives a headless Chromium for tests through the DevTools
// protocol: open a page, wait, evaluate a script, take its answer.
package chromium

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// ErrMissing is returned by Start where no Chromium is installed.
var ErrMissing = errors.New("chromium: no chromium or chromium-browser is installed")

const startTimeout = 60 * time.Second

// Browser is a running Chromium with one page.
type Browser struct {
	cmd  *exec.Cmd
	done chan struct{}
	conn *websocket.Conn
	id   atomic.Int64
}

// Start runs Chromium with a new profile in dir and further flags, such as those that say which proxy it uses; it uses
// none by itself.
func Start(ctx context.Context, dir string, flags ...string) (*Browser, error) {
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil && program == "" {
			program = p
		}
	}
	if program == "" {
		return nil, ErrMissing
	}
	args := []string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--disable-extensions", "--disable-default-apps", "--mute-audio", "--ignore-certificate-errors",
		"--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,LocalNetworkAccessChecks,OptimizationHints",
		"--remote-debugging-port=0", "--user-data-dir=" + dir}
	args = append(args, flags...)
	b := &Browser{cmd: exec.Command(program, append(args, "about:blank")...), done: make(chan struct{})}
	b.cmd.SysProcAttr = ownGroup()
	if err := b.cmd.Start(); err != nil {
		return nil, fmt.Errorf("chromium: %w", err)
	}
	go func() {
		_ = b.cmd.Wait()
		close(b.done)
	}()
	if err := b.attach(ctx, dir); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// attach waits for the DevTools port, opens a page and connects to it.
func (b *Browser) attach(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	endpoint, err := b.endpoint(ctx, filepath.Join(dir, "DevToolsActivePort"))
	if err != nil {
		return err
	}
	conn, _, err := websocket.Dial(ctx, endpoint, nil)
	if err != nil {
		return fmt.Errorf("chromium: DevTools: %w", err)
	}
	conn.SetReadLimit(64 << 20)
	b.conn = conn
	var target struct {
		TargetID string `json:"targetId"`
	}
	if err := b.call(ctx, "", "Target.createTarget", map[string]any{"url": "about:blank"}, &target); err != nil {
		return err
	}
	page := endpoint[:strings.Index(endpoint, "/devtools/")] + "/devtools/page/" + target.TargetID
	pageConn, _, err := websocket.Dial(ctx, page, nil)
	if err != nil {
		return fmt.Errorf("chromium: DevTools page: %w", err)
	}
	conn.CloseNow()
	pageConn.SetReadLimit(64 << 20)
	b.conn = pageConn
	return b.call(ctx, "", "Page.enable", nil, nil)
}

func (b *Browser) endpoint(ctx context.Context, file string) (string, error) {
	for {
		if text, err := os.ReadFile(file); err == nil {
			if port, path, ok := strings.Cut(strings.TrimSpace(string(text)), "\n"); ok {
				return "ws://127.0.0.1:" + port + path, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("chromium: no DevTools port after %v", startTimeout)
		case <-b.done:
			return "", errors.New("chromium: ended at once")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Open loads a URL and waits for the page's load event.
func (b *Browser) Open(ctx context.Context, url string) error {
	var nav struct {
		ErrorText string `json:"errorText"`
	}
	if err := b.call(ctx, "Page.loadEventFired", "Page.navigate", map[string]any{"url": url}, &nav); err != nil {
		return err
	}
	if nav.ErrorText != "" {
		return fmt.Errorf("chromium: %s: %s", url, nav.ErrorText)
	}
	return nil
}

// Eval runs a script in the page and returns the string that it, or the
// promise that it is, comes to.
func (b *Browser) Eval(ctx context.Context, script string) (string, error) {
	var out struct {
		Result struct {
			Value       any    `json:"value"`
			Description string `json:"description"`
		} `json:"result"`
		Exception *struct {
			Text string `json:"text"`
		} `json:"exceptionDetails"`
	}
	err := b.call(ctx, "", "Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true}, &out)
	if err != nil {
		return "", err
	}
	if out.Exception != nil {
		return "", fmt.Errorf("chromium: %s %s", out.Exception.Text, out.Result.Description)
	}
	return fmt.Sprint(out.Result.Value), nil
}

// call sends a command and waits for its answer and, if event is not "", for
// an event of that name after it.
func (b *Browser) call(ctx context.Context, event, method string, params, result any) error {
	id := b.id.Add(1)
	if err := wsjson.Write(ctx, b.conn, map[string]any{"id": id, "method": method, "params": params}); err != nil {
		return fmt.Errorf("chromium: %s: %w", method, err)
	}
	answered := false
	for !answered || event != "" {
		var msg struct {
			ID     int64           `json:"id"`
			Method string          `json:"method"`
			Result json.RawMessage `json:"result"`
			Error  *struct {
				Message string `json:"message"`
			} `json:"error"`
		}
		if err := wsjson.Read(ctx, b.conn, &msg); err != nil {
			return fmt.Errorf("chromium: %s: %w", method, err)
		}
		switch {
		case msg.Method != "" && msg.Method == event:
			event = ""
		case msg.ID != id:
		case msg.Error != nil:
			return fmt.Errorf("chromium: %s: %s", method, msg.Error.Message)
		default:
			answered = true
			if result != nil {
				if err := json.Unmarshal(msg.Result, result); err != nil {
					return fmt.Errorf("chromium: %s: %w", method, err)
				}
			}
		}
	}
	return nil
}

// Close ends the browser and all its processes, and waits for it.
func (b *Browser) Close() {
	if b.conn != nil {
		b.conn.CloseNow()
	}
	endGroup(b.cmd.Process)
	<-b.done
}
