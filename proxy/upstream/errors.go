package upstream

import "fmt"

// Error kinds: the proxy error types of RFC 9209 §2.3 that this package
// reports, as they stand in a Proxy-Status field.
const (
	KindDNSError               = "dns_error"
	KindDestinationUnavailable = "destination_unavailable"
	KindConfiguration          = "proxy_configuration_error"
	KindDNSTimeout             = "dns_timeout"
	KindDestinationProhibited  = "destination_ip_prohibited"
	KindDestinationUnroutable  = "destination_ip_unroutable"
	KindConnectionRefused      = "connection_refused"
	KindConnectionTerminated   = "connection_terminated"
	KindConnectionTimeout      = "connection_timeout"
	KindConnectionReadTimeout  = "connection_read_timeout"
	KindConnectionWriteTimeout = "connection_write_timeout"
	KindConnectionLimit        = "connection_limit_reached"
	KindTLSProtocolError       = "tls_protocol_error"
	KindTLSCertificateError    = "tls_certificate_error"
	KindTLSAlert               = "tls_alert_received"
	KindRequestError           = "http_request_error"
	KindResponseIncomplete     = "http_response_incomplete"
	KindResponseHeaderSize     = "http_response_header_section_size"
	KindResponseTrailerSize    = "http_response_trailer_section_size"
	KindResponseCoding         = "http_response_transfer_coding"
	KindResponseTimeout        = "http_response_timeout"
	KindProtocolError          = "http_protocol_error"
)

// Error is a failure to get an answer, or the rest of one, from an origin.
type Error struct {
	// Kind is one of the Kind constants.
	Kind string
	// Status is the status code to answer the client with: 403, 502, 503 or 504.
	Status int
	// RCode is the name of the response code of a DNS server, if that is the error.
	RCode string
	// Err is what happened. It is for logs, never for clients.
	Err error
}

// Error returns the kind and the cause.
func (e *Error) Error() string { return fmt.Sprintf("upstream: %s: %v", e.Kind, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// BodyError is a failure to read the body of the request, that is, of the
// client and not of the origin. [Client.Do] and [Body.Read] return it bare.
type BodyError struct {
	// Err is what the Body of the [Request] returned.
	Err error
}

// Error names the cause.
func (e *BodyError) Error() string { return fmt.Sprintf("upstream: request body: %v", e.Err) }

// Unwrap returns the cause.
func (e *BodyError) Unwrap() error { return e.Err }
