// SPDX-License-Identifier: MIT

//go:build go1.25

package cosched

import "runtime"

// setProcs has Go choose anew, so that it goes on to follow by itself, and insists
// where that is switched off (GODEBUG=containermaxprocs=0, an old go.mod).
func setProcs(n int) {
	runtime.SetDefaultGOMAXPROCS()
	if runtime.GOMAXPROCS(0) != n {
		runtime.GOMAXPROCS(n)
	}
}

func restoreProcs(int) { runtime.SetDefaultGOMAXPROCS() }
