// SPDX-License-Identifier: GPL-2.0-only

// Hello is a small program for test_goprog to read.
package main

import "os"

func main() {
	_, _ = os.Stdout.WriteString("hello\n")
}
