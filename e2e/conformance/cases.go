// Package conformance runs the cases of the public HTTP cache test suite
// (RFC 9111 and its neighbours) against a proxy: it plays the client and the
// origin of each case and judges what both saw. The cases are data in a file
// outside the module; nothing of them is known here.
package conformance

import (
	"encoding/json"
	"fmt"
	"os"
)

// The kinds of a case.
const (
	Required = "required" // a MUST of the RFC
	Optimal  = "optimal"  // could have been served from store
	Check    = "check"    // only observed
)

// Suite is a group of cases.
type Suite struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Tests []Case `json:"tests"`
}

// Case is one test: requests sent in order.
type Case struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Kind      string   `json:"kind"`
	DependsOn []string `json:"depends_on"`
	CDNOnly   bool     `json:"cdn_only"`
	Requests  []Entry  `json:"requests"`
}

// Entry says what the client sends, what the origin answers, and what each
// should see. Absent members are nil or zero.
type Entry struct {
	Setup      bool     `json:"setup"`
	SetupTests []string `json:"setup_tests"`
	PauseAfter bool     `json:"pause_after"`

	Method         string   `json:"request_method"`
	RequestHeaders []Header `json:"request_headers"`
	RequestBody    string   `json:"request_body"`
	QueryArg       string   `json:"query_arg"`
	Filename       string   `json:"filename"`
	MagicIMS       bool     `json:"magic_ims"`

	ResponsePause   int       `json:"response_pause"`
	Interim         []Interim `json:"interim_responses"`
	ResponseStatus  *Status   `json:"response_status"`
	ResponseHeaders []Header  `json:"response_headers"`
	ResponseBody    *string   `json:"response_body"`
	Disconnect      bool      `json:"disconnect"`
	MagicLocations  bool      `json:"magic_locations"`
	RFC850Date      []string  `json:"rfc850date"`

	ExpectedType           string          `json:"expected_type"`
	ExpectedStatus         json.RawMessage `json:"expected_status"` // nil: absent; null: unchecked
	ExpectedHeaders        []Expectation   `json:"expected_response_headers"`
	ExpectedMissing        []Expectation   `json:"expected_response_headers_missing"`
	ExpectedText           json.RawMessage `json:"expected_response_text"` // nil: absent; null: unchecked
	CheckBody              *bool           `json:"check_body"`
	ExpectedInterim        *[]Interim      `json:"expected_interim_responses"`
	ExpectedMethod         string          `json:"expected_method"`
	ExpectedRequestHeaders []Expectation   `json:"expected_request_headers"`
	ExpectedRequestMissing []Expectation   `json:"expected_request_headers_missing"`
}

// Header is a field to send. A number stands for a date, in seconds from now.
type Header struct {
	Name      string
	Value     string
	Seconds   int
	IsDate    bool
	Unchecked bool // the third member is false: sent, not checked
}

// UnmarshalJSON reads [name, value] or [name, value, checked].
func (h *Header) UnmarshalJSON(b []byte) error {
	var p []json.RawMessage
	if err := json.Unmarshal(b, &p); err != nil || len(p) < 2 || len(p) > 3 {
		return fmt.Errorf("conformance: header %s", b)
	}
	if err := json.Unmarshal(p[0], &h.Name); err != nil {
		return err
	}
	if len(p) == 3 {
		h.Unchecked = string(p[2]) == "false"
	}
	if json.Unmarshal(p[1], &h.Seconds) == nil {
		h.IsDate = true
		return nil
	}
	return json.Unmarshal(p[1], &h.Value)
}

// Status is a status code and a reason phrase.
type Status struct {
	Code   int
	Reason string
}

// UnmarshalJSON reads [code, reason].
func (s *Status) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&s.Code, &s.Reason})
}

// Interim is a 1xx response with its fields.
type Interim struct {
	Code   int
	Fields [][2]string
}

// UnmarshalJSON reads [code] or [code, fields].
func (i *Interim) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&i.Code, &i.Fields})
}

// Expectation is what a field should be: present (Op ""), equal to Value
// ("is"), equal to the field named Value ("="), numerically greater than N
// (">"), or a date N seconds from the origin's now ("date").
type Expectation struct {
	Name, Op, Value string
	N               int
}

// UnmarshalJSON reads name, [name, value] or [name, operator, operand].
func (e *Expectation) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &e.Name) == nil {
		return nil
	}
	var p []json.RawMessage
	if err := json.Unmarshal(b, &p); err != nil || len(p) < 2 || len(p) > 3 {
		return fmt.Errorf("conformance: expectation %s", b)
	}
	if err := json.Unmarshal(p[0], &e.Name); err != nil {
		return err
	}
	if len(p) == 3 {
		if err := json.Unmarshal(p[1], &e.Op); err != nil {
			return err
		}
		if json.Unmarshal(p[2], &e.N) == nil {
			return nil
		}
		return json.Unmarshal(p[2], &e.Value)
	}
	if e.Op = "date"; json.Unmarshal(p[1], &e.N) == nil {
		return nil
	}
	e.Op = "is"
	return json.Unmarshal(p[1], &e.Value)
}

// Load reads the suites from a file and fills in the defaults.
func Load(file string) ([]Suite, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var suites []Suite
	if err := json.Unmarshal(b, &suites); err != nil {
		return nil, fmt.Errorf("conformance: %s: %w", file, err)
	}
	for _, s := range suites {
		for i := range s.Tests {
			if s.Tests[i].Kind == "" {
				s.Tests[i].Kind = Required
			}
			for j := range s.Tests[i].Requests {
				e := &s.Tests[i].Requests[j]
				if e.Method == "" {
					e.Method = "GET"
				}
			}
		}
	}
	return suites, nil
}

// setup reports whether a failure of the named check means that the case could
// not be run.
func (e *Entry) setup(check string) bool {
	for _, s := range e.SetupTests {
		if s == check {
			return true
		}
	}
	return e.Setup
}

// body returns what the origin sends: response_body, else the token.
func (e *Entry) body(token string) string {
	if e.ResponseBody != nil {
		return *e.ResponseBody
	}
	return token
}
