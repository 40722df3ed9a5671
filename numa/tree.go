package numa

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// tree reads the small text files of a root directory. A file that is absent, or that a container forbids, is unknown; a file
// that does not parse is an error with its path.
type tree struct{ root fs.FS }

// text returns a file without the white space around it.
func (t tree) text(path string) (text string, known bool, err error) {
	b, err := fs.ReadFile(t.root, path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("%s: %w", path, err)
	}
	return strings.TrimSpace(string(b)), true, nil
}

// list returns a file of CPU or node numbers. An unset mask prints as "(null)" on some kernels.
func (t tree) list(path string) (ids []int, known bool, err error) {
	text, known, err := t.text(path)
	if err != nil || !known || text == "(null)" {
		return nil, false, err
	}
	if ids, err = ParseCPUs(text); err != nil {
		return nil, false, fmt.Errorf("%s: %w", path, err)
	}
	return ids, true, nil
}

// number returns a file of one decimal number, unknown when there is no such file.
func (t tree) number(path string, unknown int) (int, error) {
	text, known, err := t.text(path)
	if err != nil || !known {
		return unknown, err
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s: %.20q is not a number", path, text)
	}
	return int(n), nil
}

// size returns the bytes of a file like "512K", 0 when there is no such file.
func (t tree) size(path string) (uint64, error) {
	text, known, err := t.text(path)
	if err != nil || !known {
		return 0, err
	}
	shift := 0
	digits := text
	for unit, by := range map[string]int{"K": 10, "M": 20, "G": 30} {
		if cut, ok := strings.CutSuffix(text, unit); ok {
			digits, shift = cut, by
		}
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s: %.20q is not a size", path, text)
	}
	return n << shift, nil
}

// field returns the list behind "Key:" in a file of such lines.
func (t tree) field(path, key string) (ids []int, known bool, err error) {
	text, _, err := t.text(path)
	if err != nil {
		return nil, false, err
	}
	for line := range strings.Lines(text) {
		value, found := strings.CutPrefix(line, key+":")
		if !found {
			continue
		}
		if ids, err = ParseCPUs(value); err != nil {
			return nil, false, fmt.Errorf("%s: %s: %w", path, key, err)
		}
		return ids, true, nil
	}
	return nil, false, nil
}

// names returns what a directory holds, nothing when it is not there.
func (t tree) names(dir string) ([]string, error) {
	entries, err := fs.ReadDir(t.root, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() || e.Type()&fs.ModeSymlink != 0 {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// numbered returns the ascending numbers behind a prefix in a directory: 0 and 2 for index0 and index2.
func (t tree) numbered(dir, prefix string) ([]int, error) {
	names, err := t.names(dir)
	if err != nil {
		return nil, err
	}
	var ids []int
	for _, name := range names {
		digits, found := strings.CutPrefix(name, prefix)
		if id, err := strconv.ParseUint(digits, 10, 16); found && err == nil {
			ids = append(ids, int(id))
		}
	}
	slices.Sort(ids)
	return ids, nil
}
