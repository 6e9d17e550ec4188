package proxy

import (
	"fmt"
	"strings"

	"github.com/jayproxy/jay/freshness"
)

// words are the reasons that the proxy adds to those of package freshness.
var words = map[string]string{
	fwdURIMiss:        "Nothing is stored for this URL.",
	fwdVaryMiss:       "What is stored for this URL was selected by other request fields (Vary).",
	fwdPartial:        "Only a part of the representation is stored, and it does not hold what is asked for.",
	"nominated-field": "The request's Connection field takes away a field that matters for what is answered.",
	"upgrade":         "The request wants to change to another protocol.",
	"request-body":    "The request has a body, which could change what is answered.",
	"precondition":    "The request has If-Match or If-Unmodified-Since, which only the origin server can judge.",
	"host-mismatch":   "The host that the client names does not have the address that it connected to.",
	"vary-unclear":    "The request fields that Vary names cannot be compared.",
	"too-large":       "The response is larger than the largest that is stored.",
}

// sentence says what a reason means.
func sentence(word string) string {
	if s, ok := words[word]; ok {
		return s
	}
	if name, ok := strings.CutPrefix(word, overrideWord); ok {
		return "The override " + name + " decided, in place of what the response says."
	}
	for r := freshness.ReasonNone; r.String() != "unknown"; r++ {
		if r.String() == word {
			return r.Explain()
		}
	}
	return "The reason is " + word + "."
}

// remedies say what would make a response cacheable that is not for the given reason, or used where it is not.
var remedies = map[string]string{
	"no-store":                "Have the origin send Cache-Control: max-age=3600 in place of no-store, if others may see the response.",
	"private":                 "If the response is the same for everybody, have the origin send Cache-Control: public, max-age=3600 in place of private.",
	"set-cookie":              "Have the origin leave out Set-Cookie, or send max-age with it if the cookie is meant for everybody (option store-set-cookie).",
	"authorization":           "If every user gets the same, have the origin add public, s-maxage=3600 or must-revalidate to Cache-Control.",
	"no-explicit-freshness":   "Have the origin send Cache-Control: max-age=3600, or at least an ETag or Last-Modified.",
	"no-validator":            "Have the origin send an ETag or Last-Modified, so that the response can be validated.",
	"no-cache":                "Have the origin send max-age=3600 in place of no-cache, if a copy may be used unasked for an hour.",
	"vary-star":               "Have the origin name in Vary the request fields that matter, in place of *.",
	"vary-unclear":            "Have the client send readable values in the fields that Vary names.",
	"malformed-cache-control": "Have the origin close the quote in Cache-Control.",
	"must-understand":         "Have the origin leave out must-understand, or use a status code of RFC 9110.",
	"status":                  "Nothing: responses with this status are about one request only.",
	"store-errors-off":        "Set the option store-errors.",
	"method":                  "Ask with GET; only its answers are stored.",
	"content-location":        "Have the origin send 200 with max-age and the URL itself in Content-Location.",
	"request-no-store":        "Ask without Cache-Control: no-store.",
	"request-no-cache":        "Ask without Cache-Control: no-cache or Pragma: no-cache; reloading in a browser sends it.",
	"request-max-age":         "Ask without Cache-Control: max-age, or with a greater one.",
	"request-min-fresh":       "Ask without Cache-Control: min-fresh, or with a smaller one.",
	"only-if-cached":          "Ask without Cache-Control: only-if-cached, and Jay fetches the response.",
	"stale":                   "A greater max-age keeps it fresh for longer; stale-while-revalidate=60 answers at once while it is validated.",
	"must-revalidate":         "A greater max-age keeps it fresh for longer; must-revalidate forbids using it after that.",
	"proxy-revalidate":        "A greater max-age keeps it fresh for longer; proxy-revalidate forbids using it after that.",
	"s-maxage":                "A greater s-maxage keeps it fresh for longer; s-maxage forbids using it after that.",
	"too-large":               "Raise the options max-object-size and cache-size.",
	"nominated-field":         "Ask without naming that field in Connection.",
	"request-body":            "Ask without a body.",
	"precondition":            "Ask without If-Match and If-Unmodified-Since.",
	"host-mismatch":           "Have the client and Jay use the same name server.",
	"override":                "Change the override, or put one about this URL before it.",
	fwdPartial:                "Ask for the whole once; from then on every range of it is there.",
}

// overridable says what an override would have to say against a reason.
var overridable = map[string]string{
	"no-store":              "ignore: no-store",
	"private":               "ignore: private",
	"no-cache":              "ignore: no-cache",
	"request-no-cache":      "ignore: reload",
	"no-explicit-freshness": "min: 1h",
	"stale":                 "min: 24h",
}

// advise says what could be changed, by the reason that kept a response from being stored or used.
func advise(e *Explanation) []string {
	var out []string
	add := func(reason string) {
		if s, ok := remedies[reason]; ok {
			out = append(out, s)
		}
		if s, ok := overridable[reason]; ok {
			out = append(out, "If you know better than the origin: an override with "+s+" (section overrides of the configuration file).")
		}
		if name, ok := strings.CutPrefix(reason, overrideWord); ok {
			out = append(out, strings.Replace(remedies["override"], "override", "override "+name, 1))
		}
	}
	switch {
	case e.Answer != nil && e.Answer.Response != nil && !e.Answer.Storable:
		add(e.Answer.Response.Reason)
	case e.Outcome != OutcomeHit:
		add(e.Reason)
	}
	r := e.Stored
	if e.Answer != nil && e.Answer.Storable {
		r = e.Answer.Response
	}
	if r != nil && r.Source == freshness.SourceHeuristic.String() {
		out = append(out, "The lifetime is an estimate; Cache-Control: max-age=3600 would make it certain.")
	}
	if e.Reason == fwdVaryMiss {
		out = append(out, "Ask with "+variantsText(e.Others)+", or have the origin name fewer fields in Vary.")
	}
	return out
}

// variantsText lists what several responses were selected by.
func variantsText(list []StoredResponse) string {
	var parts []string
	for i := range list {
		if i == 5 {
			parts = append(parts, fmt.Sprintf("one of %d more", len(list)-i))
			break
		}
		parts = append(parts, selectingText(list[i].Selecting))
	}
	return strings.Join(parts, " or ")
}

// selectingText is selecting fields for people.
func selectingText(fields []Field) string {
	if len(fields) == 0 {
		return "any fields"
	}
	var parts []string
	for _, f := range fields {
		if f.Absent {
			parts = append(parts, "no "+f.Name)
		} else {
			parts = append(parts, f.Name+": "+f.Value)
		}
	}
	return strings.Join(parts, " and ")
}
