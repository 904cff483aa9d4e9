// SPDX-License-Identifier: MIT

package cosched

import (
	"strconv"

	"cosched.io/cosched/internal/uapi"
)

// A Phase says what a program, or a part of it, is doing. Numbers are those of
// enum cosched_hint_phase in linux/cosched.h.
type Phase uint32

const (
	None       Phase = uapi.HintNone       // nothing is said
	Idle       Phase = uapi.HintIdle       // polls for work that is not there
	Compute    Phase = uapi.HintCompute    // computes for long
	Collective Phase = uapi.HintCollective // exchanges with other ranks
	IO         Phase = uapi.HintIO         // starts and completes input and output
	Load       Phase = uapi.HintLoad       // loads a model or data, in advance
	Prefill    Phase = uapi.HintPrefill    // serving: reads a prompt
	Decode     Phase = uapi.HintDecode     // serving: makes a token
	Checkpoint Phase = uapi.HintCheckpoint // saves state, in the background
)

var phaseNames = [...]string{"none", "idle", "compute", "collective", "io",
	"load", "prefill", "decode", "checkpoint"}

// String is the name that "cosched stats" shows.
func (p Phase) String() string {
	if int(p) < len(phaseNames) {
		return phaseNames[p]
	}
	return "phase " + strconv.FormatUint(uint64(p), 10)
}
