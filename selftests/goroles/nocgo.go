// SPDX-License-Identifier: GPL-2.0-only

//go:build !cgo

package main

import "os"

func inC() {
	os.Exit(4)
}
