// SPDX-License-Identifier: MIT

//go:build race

package cosched

const raceEnabled = true
