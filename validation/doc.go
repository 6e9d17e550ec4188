// Package validation is the part of an HTTP cache that knows validators, preconditions and ranges. It is pure: values go
// in, values come out, the time is an argument, nothing is stored and nothing is sent.
//
// It implements
//
//   - RFC 9110 §8.8 entity tags and modification dates, with the weak and the strong comparison ([ETag], [Validators]);
//   - RFC 9110 §13 preconditions and their precedence, as a cache evaluates them ([Check], [IfRange]);
//   - RFC 9110 §14 byte ranges and multipart/byteranges ([ParseRange], [Resolve], [ParseContentRange], [Multipart]);
//   - RFC 9111 §3.2 updating stored fields, §3.3 and §3.4 partial responses ([FreshenFields], [Combinable], [GapCondition]);
//   - RFC 9111 §4.3 validation, freshening by 304 and by HEAD ([Conditional], [Selects], [HeadMatches]);
//   - RFC 9111 §4.4 invalidation ([Invalidates], [Targets]).
//
// Left out on purpose: whether a response is fresh or may be stored (package freshness), which variant a request selects
// (package cache/vary), range units other than bytes, and If-Match on methods that a cache never answers itself.
package validation
