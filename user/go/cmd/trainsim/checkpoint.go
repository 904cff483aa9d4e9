// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"encoding/binary"
	"os"
	"path/filepath"
)

const (
	checkpointName  = "trainsim.ckpt"
	checkpointMagic = 0x31504b434d495354 /* "TSIMCKP1" */
)

// checkpointHeader precedes the parameters and the velocities.
type checkpointHeader struct {
	Magic, Seed, Step, Elements, Checksum uint64
}

// saveCheckpoint replaces the checkpoint in dir. After a crash at any moment
// dir holds the old one or the new one, whole.
func saveCheckpoint(dir string, m *model, step int) error {
	tmp, err := os.CreateTemp(dir, checkpointName+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) /* fails once renamed, as it should */
	defer tmp.Close()
	if err := writeCheckpoint(tmp, m, step); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), filepath.Join(dir, checkpointName)); err != nil {
		return err
	}
	return syncDir(dir)
}

func writeCheckpoint(f *os.File, m *model, step int) error {
	w := bufio.NewWriterSize(f, 1<<16)
	header := checkpointHeader{checkpointMagic, m.seed, uint64(step),
		uint64(len(m.params)), hashFloats(m.params)}
	for _, part := range []any{header, m.params, m.velocity} {
		if err := binary.Write(w, binary.LittleEndian, part); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
