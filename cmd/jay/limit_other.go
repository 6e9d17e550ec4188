//go:build !unix

package main

// descriptorLimit returns a number that is safe where there is no such limit.
func descriptorLimit() int64 { return 1 << 14 }
