package auth

// Held is how many verdicts and windows of failures are kept.
func (a *Auth) Held() (verdicts, failures int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.verdicts), len(a.failures)
}
