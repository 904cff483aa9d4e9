// SPDX-License-Identifier: MIT

package weights_test

import (
	"fmt"
	"log"

	"cosched.io/cosched/weights"
)

// A server that is started by
//
//	cosched load --exec model.safetensors server
//
// finds the weights in memory.
func ExampleFromEnvironment() {
	m, err := weights.FromEnvironment()
	if err != nil {
		log.Print(err)
		return
	}
	defer m.Close()
	for _, t := range m.Tensors() {
		fmt.Println(t.Name, t.Type, t.Shape, len(t.Data))
	}
}
