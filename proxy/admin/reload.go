package admin

import (
	"errors"
	"net/http"
)

// ReloadRequest is the body of POST /reload.
type ReloadRequest struct {
	DryRun bool `json:"dry-run,omitempty"` // only say what would change
}

// ReloadAnswer says what a reload has changed, or would change.
type ReloadAnswer struct {
	DryRun    bool             `json:"dry-run"`
	Options   []OptionChange   `json:"options"`   // that have other values
	Sections  []string         `json:"sections"`  // of the configuration file that differ, such as "policy"
	Files     []string         `json:"files"`     // that the configuration names and whose content differs
	Listeners []ListenerChange `json:"listeners"` // all of them
}

// OptionChange is an option that has another value. Automatic values are told as what they come to; passwords are not told.
type OptionChange struct {
	Option string `json:"option"`
	Old    string `json:"old"`
	New    string `json:"new"`
}

// ListenerChange is what becomes of a listener.
type ListenerChange struct {
	Kind    string `json:"kind"`    // "explicit", "redirect", "tproxy", "host" or "admin"
	Address string `json:"address"` // as configured
	State   string `json:"state"`   // "kept", "opened" or "closed"
}

// ConfigError is about a configuration that is wrong, one fault a line.
type ConfigError struct{ Err error }

// Error implements error.
func (e *ConfigError) Error() string { return e.Err.Error() }

// Unwrap gives errors.Is and errors.As the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// reload reads the configuration anew. What is wrong with it is the request's fault (400); what the machine does not let
// happen, such as a port that is taken, is a conflict (409).
func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	if s.opt.Reload == nil {
		fail(w, http.StatusNotFound, "there is no configuration to be read anew")
		return
	}
	var body ReloadRequest
	if !read(w, r, &body) {
		return
	}
	a, err := s.opt.Reload(r.Context(), body.DryRun)
	var wrong *ConfigError
	switch {
	case errors.As(err, &wrong):
		fail(w, http.StatusBadRequest, err.Error())
	case err != nil:
		fail(w, http.StatusConflict, err.Error())
	default:
		reply(w, a)
	}
}
