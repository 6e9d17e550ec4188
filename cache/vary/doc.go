// Package vary decides which stored response a request selects where more than the URI counts. It is pure: it parses and
// compares, and stores nothing.
//
// It implements
//
//   - RFC 9111 §4.1: the secondary key that the Vary field of a stored response and the fields of a request make ([Key],
//     [AppendKey]), in a canonical form, so that requests that mean the same select the same variant, and [Prefers], which
//     finds the stored representation that a client wants most even though its key is another one;
//   - RFC 9110 §12.5.1 to §12.5.4 (Accept, Accept-Charset, Accept-Encoding, Accept-Language) as far as that comparison needs it;
//   - No-Vary-Search (draft-ietf-httpbis-no-vary-search): query parameters that do not matter ([Rule]);
//   - RFC 9875: names of cache groups ([ParseGroups]).
//
// Where it is not certain that two requests mean the same, they are different: that costs a fetch, the contrary serves
// somebody the wrong page. Left out on purpose: any knowledge of what an origin does with a field, and selection by
// Content-Type.
package vary
