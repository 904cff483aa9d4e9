// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// headerDir is the include directory of the header, seen from this package.
const headerDir = "../../../../../include/uapi"

const headerPath = headerDir + "/linux/cosched.h"

func readHeader(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(headerPath)
	if err != nil {
		t.Fatalf("the UAPI header: %v", err)
	}
	comments := regexp.MustCompile(`(?s)/\*.*?\*/`)
	return comments.ReplaceAllString(string(text), "")
}

// namesInHeader finds every constant and "struct.field" that C defines.
func namesInHeader(t *testing.T) []string {
	t.Helper()
	header := readHeader(t)
	var names []string
	constant := regexp.MustCompile(`(?m)^(?:#define\s+|\t)(COSCHED_\w+)(?:\s|,)`)
	for _, m := range constant.FindAllStringSubmatch(header, -1) {
		names = append(names, m[1])
	}
	body := regexp.MustCompile(`(?s)struct (cosched_\w+) \{(.*?)\};`)
	field := regexp.MustCompile(`(?m)^\t__\w+ (\w+)(?:\[\d+\])?;`)
	for _, m := range body.FindAllStringSubmatch(header, -1) {
		names = append(names, m[1])
		for _, f := range field.FindAllStringSubmatch(m[2], -1) {
			names = append(names, m[1]+"."+f[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestMirrorIsComplete(t *testing.T) {
	var mirrored []string
	for _, line := range layout() {
		mirrored = append(mirrored, strings.Fields(line)[0])
	}
	slices.Sort(mirrored)
	inHeader := namesInHeader(t)
	if len(inHeader) < 50 {
		t.Fatalf("found only %d names in %s", len(inHeader), headerPath)
	}
	for _, name := range inHeader {
		if !slices.Contains(mirrored, name) {
			t.Errorf("%s is in the header, not in Go", name)
		}
	}
	for _, name := range mirrored {
		if !slices.Contains(inHeader, name) {
			t.Errorf("%s is in Go, not in the header", name)
		}
	}
}

// TestLayoutEqualsCompiler asks the C compiler for the header's own layout.
func TestLayoutEqualsCompiler(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler: cc is not in PATH")
	}
	dir := t.TempDir()
	source, binary := filepath.Join(dir, "l.c"), filepath.Join(dir, "l")
	if err := os.WriteFile(source, []byte(cProgram()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(cc, "-I", headerDir, "-o", binary, source).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cc, err, out)
	}
	out, err = exec.Command(binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	compare(t, strings.Split(strings.TrimSpace(string(out)), "\n"))
}

// TestLayoutEqualsFile compares with a listing made elsewhere, such as by the
// selftest's C program on the target.
func TestLayoutEqualsFile(t *testing.T) {
	path := os.Getenv("COSCHED_LAYOUT_FILE")
	if path == "" {
		t.Skip("COSCHED_LAYOUT_FILE is not set")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, strings.Split(strings.TrimSpace(string(text)), "\n"))
}

func cProgram() string {
	var b strings.Builder
	b.WriteString("#include <stddef.h>\n#include <stdio.h>\n" +
		"#include <linux/cosched.h>\n#define P printf\nint main(void)\n{\n")
	for _, line := range layout() {
		name := strings.Fields(line)[0]
		typ, field, isField := strings.Cut(name, ".")
		switch {
		case isField:
			fmt.Fprintf(&b, "P(\"%s %%zu %%zu\\n\", offsetof(struct %s, %s), "+
				"sizeof(((struct %s *)0)->%s));\n", name, typ, field, typ, field)
		case strings.HasPrefix(name, "cosched_"):
			fmt.Fprintf(&b, "P(\"%s %%zu\\n\", sizeof(struct %s));\n", name, name)
		default:
			fmt.Fprintf(&b, "P(\"%s 0x%%llx\\n\", (unsigned long long)%s);\n",
				name, name)
		}
	}
	b.WriteString("return 0;\n}\n")
	return b.String()
}

func compare(t *testing.T, want []string) {
	t.Helper()
	got := layout()
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("C has %q, Go has not", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("Go has %q, C has not", line)
		}
	}
}
