// SPDX-License-Identifier: MIT

package cosched

import "errors"

// ErrCPUNotAllowed is what [Pin] returns for a CPU that the program may not use.
var ErrCPUNotAllowed = errors.New("the program may not use it")

// ErrProcsSet is what [FollowCPUMax] returns when GOMAXPROCS was set by the user,
// in the environment or by a call: that is not overridden.
var ErrProcsSet = errors.New("cosched: GOMAXPROCS was set, and is left alone")
