package proxy

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/jayproxy/jay/cache"
	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/upstream"
	"github.com/jayproxy/jay/validation"
)

// A patchwork is a body made from pieces that are held, pieces that are on their way for others, and pieces that have to
// be fetched, in the order of the representation.
type patchwork struct {
	e     *entry
	parts []patch
	tail  []byte // after the last part
	epoch cache.Epoch
	first *cache.FillReader // the first missing piece, opened before the head went out
}

// patch is one part: a span of the representation, and what goes before it.
type patch struct {
	head []byte
	span validation.Span
}

func (w *patchwork) close() {
	if w.first != nil {
		w.first.Close()
	}
}

// opened is the reader that was opened before the head went out, if it stands at pos; it may be too late, because the
// store got those bytes meanwhile.
func (w *patchwork) opened(pos int64) *cache.FillReader {
	r := w.first
	if w.first = nil; r != nil && r.Offset() != pos {
		r.Close()
		r = nil
	}
	return r
}

// patched makes a patchwork the reply's body. The first piece that is missing is asked for at once, so that a failure, or
// a representation that has changed, is still answered properly; in that case it returns false, with the reply made.
func (x *exchange) patched(e *entry, parts []patch, tail []byte) bool {
	if cur := x.p.variant(e.Key, e.Variant); cur != nil && sameRepresentation(cur, e) && x.reachable(&cur.Meta) {
		e = cur
	}
	w := &patchwork{e: e, parts: parts, tail: tail, epoch: x.p.store.Epoch(x.url)}
	for _, p := range parts {
		pos := p.span.Start
		if held := heldFrom(e, pos, p.span.End); held > pos {
			pos = held
		}
		if pos == p.span.End {
			continue
		}
		r, ok := x.piece(w, pos, p.span.End)
		if !ok {
			return false
		}
		w.first = r
		break
	}
	x.reply.gaps = w
	if w.first != nil {
		x.rec.Decision = access.Miss
		x.reply.cacheStatus = x.cacheStatus(verdict{fwd: fwdPartial, stored: true, detail: "partial"})
	}
	return true
}

// heldFrom is the end of the run of held bytes that begins at pos, at most end; pos itself if none is held.
func heldFrom(e *entry, pos, end int64) int64 {
	gaps := e.Body.Gaps(pos, end)
	if len(gaps) == 0 {
		return end
	}
	return gaps[0].Start
}

// piece opens the bytes from pos on, which are not held: from a fetch of others that brings them, or from one of its own.
func (x *exchange) piece(w *patchwork, pos, end int64) (*cache.FillReader, bool) {
	var r *cache.FillReader
	part := func(fl *flight) bool {
		r = x.from(fl, w, fl.span, pos)
		return r != nil
	}
	whole := func(fl *flight) bool {
		if fl.brings(pos) {
			r = x.from(fl, w, validation.Span{End: fl.head.Length}, pos)
		}
		return r != nil
	}
	if x.p.flights.filling(partsOf(x.url), part) || x.p.flights.filling(x.url, whole) {
		return r, true
	}
	gap := validation.Span(w.e.Body.Gaps(pos, end)[0])
	fl, leads := x.p.flights.joinGap(x.p.ctx, partsOf(x.url), gap)
	if leads {
		return x.fetchGap(fl, w, gap)
	}
	defer fl.leave()
	if x.waitFor(fl) && fl.head != nil {
		if r = x.from(fl, w, fl.span, pos); r != nil {
			return r, true
		}
	}
	return x.fetchGap(x.p.flights.alone(x.p.ctx), w, gap)
}

// from reads what a fetch of a span by somebody else brings from pos on; nil if it does not bring that.
func (x *exchange) from(fl *flight, w *patchwork, span validation.Span, pos int64) *cache.FillReader {
	if fl.fill == nil || !sameRepresentation(fl.head, w.e) || !x.reachable(&fl.head.Meta) || pos < span.Start || pos >= span.End {
		return nil
	}
	r, ok := fl.fill.NewReader(pos)
	if !ok {
		return nil
	}
	return r
}

// partsOf is the key under which the fetches of parts of a representation are found.
func partsOf(url string) string { return "parts " + url }

// fetchGap asks the origin for a span that is missing (RFC 9111 §3.4, RFC 9110 §13.1.5).
func (x *exchange) fetchGap(fl *flight, w *patchwork, gap validation.Span) (*cache.FillReader, bool) {
	defer fl.lead(x.ctx)()
	value := "bytes=" + strconv.FormatInt(gap.Start, 10) + "-"
	if gap.End < w.e.Length {
		value += strconv.FormatInt(gap.End-1, 10)
	}
	e := edits{drop: rangeOrCondition, add: []validation.Field{{Name: "Range", Value: value}}}
	if w.e.Meta.gap != "" {
		e.add = append(e.add, validation.Field{Name: "If-Range", Value: w.e.Meta.gap})
	}
	resp, err := x.send(fl.ctx, e)
	if err != nil {
		fl.cancel()
		if !x.reply.begun {
			x.failed(err)
		}
		return nil, false
	}
	r := x.examine(resp)
	cr, ok := soleContentRange(r.fields)
	head := x.part(r, cr)
	if resp.Status != 206 || !ok || cr.Span.Start != gap.Start || cr.Span.End > gap.End || !sameRepresentation(head, w.e) {
		x.changed(resp, fl, w)
		return nil, false
	}
	fill := x.p.store.NewFill(cache.FillOptions{Start: gap.Start, Expected: cr.Span.End - gap.Start, OnAbandon: fl.cancel})
	reader, _ := fill.NewReader(gap.Start)
	fl.span = cr.Span
	keep, _ := x.storable(r) // the client's own, otherwise
	if keep {
		x.p.flights.publish(partsOf(x.url), fl, w.epoch, head, fill)
	} else {
		fl.land(nil, nil) // a fetch that does not land ends with its leader's interest in it
	}
	x.p.work.Add(1)
	go x.p.fillPart(fl, resp, fill, nil, head, w.epoch, keep)
	return reader, true
}

// changed acts on an answer that does not continue the stored part: the part is dropped, and the answer, or one to
// the client's own request where it is another part, becomes the reply.
func (x *exchange) changed(resp *upstream.Response, fl *flight, w *patchwork) {
	if x.reply.begun {
		resp.Close()
		fl.cancel()
		return
	}
	v := verdict{fwd: fwdPartial, detail: "partial"}
	if resp.Status == 206 || resp.Status == 416 {
		resp.Close()
		x.p.store.Delete(w.e)
		x.refetchAs(fl, w.epoch, v, edits{drop: conditional})
		return
	}
	if resp.Status == 200 {
		x.p.store.Delete(w.e)
	}
	x.replaced = true
	x.take(resp, fl, w.epoch, v)
}

// rangeOrCondition tells the fields that a request for a gap replaces.
func rangeOrCondition(name string) bool {
	return strings.EqualFold(name, "Range") || strings.EqualFold(name, "If-Range") || conditional(name)
}

// errChanged breaks an answer off whose representation has changed while it was sent.
var errChanged = errors.New("proxy: the representation changed while its parts were sent")

// sendGaps writes a patchwork.
func (x *exchange) sendGaps() error {
	w := x.reply.gaps
	for _, p := range w.parts {
		x.c.out = append(x.c.out, p.head...)
		if err := x.sendSpan(w, p.span); err != nil {
			return err
		}
	}
	x.c.out = append(x.c.out, w.tail...)
	return x.flush()
}

// sendSpan writes one span of a patchwork.
func (x *exchange) sendSpan(w *patchwork, s validation.Span) error {
	for pos := s.Start; pos < s.End; {
		held := x.heldNow(w, pos, s.End)
		if held > pos {
			for _, b := range w.e.Body.AppendBuffers(nil, pos, held) {
				if err := x.sendPart(b, byLength); err != nil {
					return err
				}
			}
			pos = held
			continue
		}
		r := w.opened(pos)
		if r == nil {
			var ok bool
			if r, ok = x.piece(w, pos, s.End); !ok {
				return errChanged
			}
		}
		n, err := x.sendFrom(r, s.End-pos)
		if pos += n; err != nil && !errors.Is(err, cache.ErrLagging) { // who lags behind others goes on alone
			return err
		}
	}
	return nil
}

// heldNow is heldFrom for the patchwork's entry, or for what has become of it since where that holds the byte at pos.
func (x *exchange) heldNow(w *patchwork, pos, end int64) int64 {
	held := heldFrom(w.e, pos, end)
	if held > pos {
		return held
	}
	cur := x.p.variant(w.e.Key, w.e.Variant)
	if cur == nil || cur.Is(w.e) || !sameRepresentation(cur, w.e) || !x.reachable(&cur.Meta) {
		return pos
	}
	if held = heldFrom(cur, pos, end); held > pos {
		w.e = cur
	}
	return held
}

// sendFrom writes at most n bytes of what a reader brings, and closes it.
func (x *exchange) sendFrom(r *cache.FillReader, n int64) (sent int64, err error) {
	defer r.Close()
	if r.Available() == 0 { // what was made before need not wait for this
		if err := x.flush(); err != nil {
			return 0, err
		}
	}
	defer x.watchBody(r.Cancel)()
	for sent < n {
		b, err := r.Next()
		if err == io.EOF && sent > 0 {
			return sent, nil
		}
		if err != nil {
			if err == io.EOF {
				err = errChanged
			}
			x.flush()
			return sent, err
		}
		b = b[:min(int64(len(b)), n-sent)]
		if err := x.sendPart(b, byLength); err != nil {
			return sent, err
		}
		sent += int64(len(b))
	}
	return sent, nil
}
