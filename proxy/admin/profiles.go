package admin

import (
	"net/http"
	"net/http/pprof"
)

// profiles answers what is below /debug/pprof/: profiles of the running process in pprof's format, as net/http/pprof makes
// them. They tell a lot about Jay and cost time to make, so they have to be asked for with an option. The command line, which
// net/http/pprof offers as well, is left out, since options can name what is nobody's business.
func (s *Server) profiles(w http.ResponseWriter, r *http.Request) {
	if !s.access.Load().profiles {
		fail(w, http.StatusNotFound, "profiles are off; the option admin-pprof turns them on")
		return
	}
	switch name := r.PathValue("name"); name {
	case "":
		pprof.Index(w, r)
	case "profile":
		pprof.Profile(w, r)
	case "trace":
		pprof.Trace(w, r)
	default:
		pprof.Handler(name).ServeHTTP(w, r)
	}
}
