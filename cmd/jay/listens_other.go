//go:build !unix

package main

import (
	"errors"
	"os"
)

// listens fails: nobody hands sockets over here.
func listens(*os.File) (bool, error) { return false, errors.ErrUnsupported }
