//go:build !linux

package e2e

import "testing"

func runSnippet(t *testing.T, _ string) string {
	t.Helper()
	needRoot(t)
	return ""
}
