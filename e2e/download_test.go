package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

const (
	downloadSize  = 100 << 20
	downloadParts = 8
)

// TestDownloadManager: 100 MiB in 8 parallel ranges, broken off, resumed with
// If-Range, whole in the end; a new version is never mixed with the old.
func TestDownloadManager(t *testing.T) {
	var mu sync.Mutex
	version := map[string]int{}
	content := func(path string) origin.Content {
		mu.Lock()
		defer mu.Unlock()
		return origin.Content{Key: path, Version: version[path], Size: downloadSize}
	}
	o := startOrigin(t, func(x *origin.Exchange) {
		control := "max-age=600"
		if strings.HasSuffix(x.Path(), "/changing") {
			control = "no-cache"
		}
		content(x.Path()).Serve(x, rawhttp.F("Cache-Control", control))
	})
	j := startJay(t, "--cache-size", "1GiB", "--max-object-size", "128MiB")
	eachWay(t, j, func(t *testing.T, w way) {
		d := &download{w: w, host: o.Addr(), path: "/" + w.name + "/same"}
		tag := content(d.path).ETag()
		d.all(t, "", 0, downloadSize/downloadParts/2) // broken off half way
		d.all(t, tag, downloadSize/downloadParts/2, downloadSize/downloadParts)
		if got, want := d.sum(), content(d.path).Sum(); got != want {
			t.Errorf("got SHA-256 %s; want %s", got, want)
		}
		d.checkNewVersion(t, func(path string) origin.Content {
			mu.Lock()
			version[path]++
			mu.Unlock()
			return content(path)
		})
	})
	for _, w := range waysOf(j) {
		path := "/" + w.name + "/same"
		sent := int64(0)
		for range o.To(path) {
			sent++
		}
		t.Logf("%s: origin answered %d requests for 16", w.name, sent)
	}
}

// download is a file under way in parts.
type download struct {
	w          way
	host, path string
	parts      [downloadParts][]byte
}

// all fetches the bytes from first to last of each part, in parallel, and
// breaks each connection off there although it asked for the part's end.
func (d *download) all(t *testing.T, ifRange string, first, last int64) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range d.parts {
		wg.Go(func() {
			got, err := d.fetch(int64(i)*downloadSize/downloadParts, ifRange, first, last)
			if err != nil {
				t.Errorf("part %d from %d: %v", i, first, err)
			}
			d.parts[i] = append(d.parts[i], got...)
		})
	}
	wg.Wait()
}

func (d *download) fetch(base int64, ifRange string, first, last int64) ([]byte, error) {
	c, err := d.w.open(d.host)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	conn := rawhttp.NewConn(c)
	end := base + downloadSize/downloadParts - 1
	fs := rawhttp.F("Range", fmt.Sprintf("bytes=%d-%d", base+first, end))
	if ifRange != "" {
		fs = append(fs, rawhttp.F("If-Range", ifRange)...)
	}
	if err := conn.Send(d.w.get(d.host, d.path, fs)); err != nil {
		return nil, err
	}
	resp, err := conn.ReadFinal("GET")
	if err != nil {
		return nil, err
	}
	if want := fmt.Sprintf("bytes %d-%d/%d", base+first, end, downloadSize); resp.Code != 206 || resp.Fields.Get("Content-Range") != want {
		return nil, fmt.Errorf("got %d, Content-Range %q; want 206, %q", resp.Code, resp.Fields.Get("Content-Range"), want)
	}
	got := make([]byte, last-first)
	_, err = io.ReadFull(conn.Body(resp), got)
	return got, err
}

func (d *download) sum() string {
	h := sha256.New()
	for _, p := range d.parts {
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// checkNewVersion resumes with the validator of a version that is gone: the
// answer must be the whole of the new one.
func (d *download) checkNewVersion(t *testing.T, bump func(path string) origin.Content) {
	t.Helper()
	path := "/" + d.w.name + "/changing"
	old := bump(path)
	fs := rawhttp.F("Range", "bytes=0-999999")
	if resp := d.w.do(t, "GET", d.host, path, fs, ""); resp.Code != 206 || string(resp.Body) != string(old.Bytes()[:1_000_000]) {
		t.Errorf("got %d and %d bytes; want 206 and the first MB of version %d", resp.Code, len(resp.Body), old.Version)
	}
	now := bump(path)
	fs = rawhttp.F("Range", "bytes=1000000-", "If-Range", old.ETag())
	resp := d.w.do(t, "GET", d.host, path, fs, "")
	sum := sha256.Sum256(resp.Body)
	if resp.Code != 200 || hex.EncodeToString(sum[:]) != now.Sum() {
		t.Errorf("got %d and %d bytes; want 200 and the whole of version %d", resp.Code, len(resp.Body), now.Version)
	}
}
