// SPDX-License-Identifier: MIT

//go:build !go1.25

package cosched

import "runtime"

func setProcs(n int) { runtime.GOMAXPROCS(n) }

func restoreProcs(n int) { runtime.GOMAXPROCS(n) }
