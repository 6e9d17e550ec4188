//go:build race

package wire_test

// raceEnabled says that sync.Pool drops at random what it is given.
const raceEnabled = true
