package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/jayproxy/jay/freshness"
	"github.com/jayproxy/jay/proxy/wire"
)

// Asking says whether the origin server is asked for an explanation.
type Asking int

// The ways of asking. Asking stores nothing.
const (
	AskIfNeeded Asking = iota // when nothing that is stored matches
	AskAlways
	AskNever
)

// ExplainRequest is a request that is to be explained, not answered.
type ExplainRequest struct {
	Method string     // empty: GET
	URL    string     // absolute
	Fields []Field    // in order; Host is made from the URL if it is not among them
	Client netip.Addr // who would ask; the zero value is a client on this machine
	Ask    Asking     // only a GET or HEAD is ever sent to the origin
}

// The outcomes of an Explanation.
const (
	OutcomeHit        = "hit"        // answered with a stored response
	OutcomeStale      = "stale"      // answered with a stored response that is stale
	OutcomeRevalidate = "revalidate" // the origin is asked whether the stored response is still good (RFC 9111 §4.3)
	OutcomeFetch      = "fetch"      // the origin is asked; what it answers may be stored
	OutcomePass       = "pass"       // the request passes by the cache
	OutcomeRefuse     = "refuse"     // Jay answers with an error of its own
)

// Explanation is what Jay would do with a request right now, and why.
type Explanation struct {
	Method  string `json:"method"`
	URL     string `json:"url"` // the cache key
	Outcome string `json:"outcome"`
	// Reason is the word that Cache-Status and the log give, Sentence what it means.
	Reason   string `json:"reason"`
	Sentence string `json:"sentence"`
	// Rule is the rule of the policy that decided, if there is one.
	Rule string `json:"rule,omitempty"`
	// Override is the operator's rule about freshness that made the difference, if one did, and WithoutOverride the outcome
	// and the reason that there would have been without it.
	Override        string `json:"override,omitempty"`
	WithoutOverride string `json:"without_override,omitempty"`
	// Parents are the proxies that the origin would be asked through, in the order in which they would be tried, with their
	// health; "direct" is the way without one. Empty: there are none. ParentRule is the rule about them that decided.
	Parents    []string `json:"parents,omitempty"`
	ParentRule string   `json:"parent_rule,omitempty"`
	// UnderWay tells that another request is fetching the same just now, so that this one could share its answer.
	UnderWay bool `json:"under_way,omitempty"`
	// Stored is the stored response that the request selects, Others those of the same URL that it does not.
	Stored *StoredResponse  `json:"stored,omitempty"`
	Others []StoredResponse `json:"others,omitempty"`
	// Answer is what the origin answered, if it was asked.
	Answer *OriginAnswer `json:"answer,omitempty"`
	// Advice says what would make the response cacheable, or cached for longer.
	Advice []string `json:"advice,omitempty"`
}

// OriginAnswer is what an origin answered to the request of an explanation.
type OriginAnswer struct {
	// Storable tells whether Jay would store it; the response's Reason and Why say why (not).
	Storable bool `json:"storable"`
	// Error says why there is no answer.
	Error string `json:"error,omitempty"`
	// Response is the answer, nil if there is none.
	Response *StoredResponse `json:"response,omitempty"`
}

// Explain tells what Jay would do with a request right now. It changes nothing: what is stored, the order of eviction, the
// figures and the log stay as they are. It fails when the request is not one that Jay would read.
func (p *Proxy) Explain(ctx context.Context, q ExplainRequest) (Explanation, error) {
	x, err := p.imagine(q)
	if err != nil {
		return Explanation{}, err
	}
	x.ctx, x.cancel = context.WithCancel(ctx)
	defer x.cancel()
	defer context.AfterFunc(p.ctx, x.cancel)()
	e := &Explanation{Method: x.req.Method, URL: x.url}
	x.explaining = func() { x.explain(e, q.Ask) }
	if !x.c.mayAsk() {
		e.Outcome, e.Reason, e.Sentence = OutcomeRefuse, "client-refused", "Clients with this address may not use the proxy; see the option allow-clients."
		return *e, nil
	}
	x.dispatch()
	if e.Outcome == "" { // a handler has answered in its own way
		e.Outcome, e.Reason = OutcomeRefuse, x.rec.Reason
		e.Sentence = refusalText(x)
	}
	e.Rule = x.rec.Rule
	x.explainParents(e)
	return *e, nil
}

// explained is the response to a request that has been explained; nobody gets it.
func (x *exchange) explained() *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}
}

// refusalText says what Jay's own answer says, as a sentence.
func refusalText(x *exchange) string {
	text := "Jay answers this itself with status " + strconv.Itoa(x.reply.status)
	if x.denial.status != 0 {
		text += ": " + x.denial.text
	}
	text += "."
	if x.rec.ProxyStatus != "" {
		text += " Proxy-Status: " + x.rec.ProxyStatus
	}
	return text
}

// imagine reads a request as if a client had sent it.
func (p *Proxy) imagine(q ExplainRequest) (*exchange, error) {
	at, err := p.located(q.URL)
	if err != nil {
		return nil, err
	}
	c := &conn{p: p, opt: p.opt(), mode: Explicit, client: netip.AddrPortFrom(q.Client, 0)}
	c.local = p.thisMachine(q.Client)
	head, err := imaginedHead(q, at.authority)
	if err != nil {
		return nil, err
	}
	if err := wire.ParseRequest(head, c.opt.Limits, &c.req); err != nil {
		return nil, fmt.Errorf("proxy: this is not a valid request: %s", strings.TrimPrefix(err.Error(), "wire: "))
	}
	if c.req.Body != (wire.Framing{}) {
		return nil, errors.New("proxy: a request with a body cannot be explained")
	}
	x := c.newExchange(time.Now())
	x.background = true
	x.readRequest()
	if f := x.locate(); f.status != 0 {
		return nil, errors.New("proxy: " + f.text)
	}
	return x, nil
}

// imaginedHead is the head that a client would send.
func imaginedHead(q ExplainRequest, authority string) (string, error) {
	method := q.Method
	switch {
	case method == "":
		method = "GET"
	case method == "CONNECT":
		return "", errors.New("proxy: CONNECT opens a tunnel; nothing that goes through it is cached")
	}
	url, _, _ := strings.Cut(q.URL, "#")
	var b strings.Builder
	b.WriteString(method + " " + url + " HTTP/1.1\r\n")
	host := false
	for _, f := range q.Fields {
		if f.Name == "" || strings.ContainsAny(f.Name+f.Value, "\r\n\x00") {
			return "", fmt.Errorf("proxy: %q is not a field", f.Name+": "+f.Value)
		}
		host = host || strings.EqualFold(f.Name, "Host")
		b.WriteString(f.Name + ": " + f.Value + "\r\n")
	}
	if !host {
		b.WriteString("Host: " + authority + "\r\n")
	}
	return b.String() + "\r\n", nil
}

// explain does what roundTrip does, without doing anything.
func (x *exchange) explain(e *Explanation, ask Asking) {
	x.asks = x.opt.asks(x.fields)
	if x.bypass == "" {
		x.bypass = x.unsuitable()
	}
	matched := false
	switch {
	case x.bypass != "":
		e.decided(OutcomePass, x.bypass)
	case x.req.Method != "GET" && x.req.Method != "HEAD":
		e.decided(OutcomePass, "method")
	default:
		matched = x.explainCache(e)
	}
	if ask == AskAlways || ask == AskIfNeeded && !matched {
		x.explainAnswer(e)
	}
	e.Advice = advise(e)
}

// explainParents says through which parents the origin would be asked.
func (x *exchange) explainParents(e *Explanation) {
	ps := x.opt.Parents
	if e.Outcome == OutcomeRefuse || !ps.Active() {
		return
	}
	now := time.Now()
	c := x.chooseParents(ps)
	e.ParentRule = c.Rule
	for _, via := range c.Use {
		text := via.String()
		if via != nil && !via.Status(now).Up {
			text += " (down)"
		}
		e.Parents = append(e.Parents, text)
	}
}

// decided notes an outcome with its reason.
func (e *Explanation) decided(outcome, reason string) {
	e.Outcome, e.Reason, e.Sentence = outcome, reason, sentence(reason)
}

// explainCache says what the cache does with a GET or HEAD. It tells whether a stored response matches.
func (x *exchange) explainCache(e *Explanation) bool {
	now := time.Now()
	chosen, fwd := x.choose()
	for _, v := range x.variants() {
		d := x.opt.describe(v, now, false)
		if v.Is(chosen) {
			e.Stored = &d
		} else {
			e.Others = append(e.Others, d)
		}
	}
	e.UnderWay = x.sharable() && x.p.flights.underWay(x.url)
	if chosen == nil {
		e.decided(OutcomeFetch, fwd)
		if x.asks.OnlyIfCached {
			e.decided(OutcomeRefuse, freshness.ReasonOnlyIfCached.String())
		}
		return false
	}
	fresh := x.opt.judged(chosen)
	d := freshness.Decide(x.asks, fresh, now)
	e.decided(outcomes[d.Verdict], x.opt.word(d.Reason, fresh))
	if d.Reason == freshness.ReasonOverride {
		own := fresh.AsSent()
		without := freshness.Decide(x.asks, &own, now)
		e.Override, e.WithoutOverride = x.opt.Overrides.list[fresh.Rule()-1].Name, outcomes[without.Verdict]+": "+without.Reason.Explain()
	}
	return true
}

// outcomes are what freshness's verdicts about a stored response come to.
var outcomes = [...]string{
	freshness.Forward: OutcomeFetch, freshness.Validate: OutcomeRevalidate, freshness.Reuse: OutcomeHit, freshness.ReuseStale: OutcomeStale,
	freshness.ReuseWhileRevalidate: OutcomeStale, freshness.Unsatisfiable: OutcomeRefuse,
}

// explainAnswer asks the origin and says whether its answer would be stored. The body is left unread.
func (x *exchange) explainAnswer(e *Explanation) {
	if x.req.Method != "GET" && x.req.Method != "HEAD" || x.asks.OnlyIfCached || x.upgradeToken() != "" {
		return
	}
	e.Answer = &OriginAnswer{}
	resp, err := x.send(x.ctx, edits{})
	if err != nil {
		f := faultOf(err)
		e.Answer.Error = fmt.Sprintf("%s (%s)", f.text, f.kind)
		return
	}
	defer resp.Close()
	r := x.examine(resp)
	ok, why := x.storable(r)
	length := bodyLength(&resp.Response)
	if ok && length > x.p.store.MaxObjectBytes() {
		ok, why = false, "too-large"
	}
	d := x.opt.describe(&entry{Key: x.url, Meta: x.meta(r), Length: length}, time.Now(), false)
	d.Reason, d.Why = why, sentence(why)
	e.Answer.Storable, e.Answer.Response = ok, &d
}

// underWay tells whether a fetch for key can be shared.
func (f *flights) underWay(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.m[key]) > 0
}
