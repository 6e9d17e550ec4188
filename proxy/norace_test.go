//go:build !race

package proxy

// raceEnabled says that sync.Pool drops at random what it is given.
const raceEnabled = false
