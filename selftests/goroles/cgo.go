// SPDX-License-Identifier: GPL-2.0-only

//go:build cgo

package main

/*
static void spin(volatile int *stop)
{
	while (!*stop)
		;
}
*/
import "C"

import (
	"runtime"
	"unsafe"
)

var never [1]int32

// InC runs C code on a thread of its own.
func inC() {
	runtime.LockOSThread()
	tell("cgo", 0)
	C.spin((*C.int)(unsafe.Pointer(&never[0])))
}
