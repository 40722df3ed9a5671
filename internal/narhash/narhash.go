// Package narhash computes the hash Nix gives a directory tree, without Nix.
//
// A tree becomes a Nix archive: one stream of length-prefixed strings that names every entry in byte order and holds
// nothing but names, contents, the executable bit and link targets. Sum feeds that stream to SHA-256 and writes the
// result the way a flake quotes it: "sha256-" and base64. The flake's vendorHash is the Sum of what go mod vendor writes.
//
// Limits: regular files, directories and symbolic links, as in Nix; anything else is ErrKind.
package narhash

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrKind: the tree holds a device, a socket or a pipe, which no Nix archive can hold. Remove it from the tree.
var ErrKind = errors.New("narhash: neither file, directory nor link")

// Sum returns the hash of the tree at path in SRI form, for example "sha256-…=".
func Sum(path string) (string, error) {
	h := sha256.New()
	if err := Archive(h, path); err != nil {
		return "", err
	}
	return "sha256-" + base64.StdEncoding.EncodeToString(h.Sum(nil)), nil
}

// Archive writes the tree at path to w as a Nix archive.
func Archive(w io.Writer, path string) error {
	if err := text(w, "nix-archive-1"); err != nil {
		return err
	}
	return node(w, path)
}

// node writes one file, link or directory.
func node(w io.Writer, path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return regular(w, path, info)
	case mode.IsDir():
		return directory(w, path)
	case mode&os.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		return text(w, "(", "type", "symlink", "target", target, ")")
	default:
		return fmt.Errorf("%w: %s", ErrKind, path)
	}
}

func regular(w io.Writer, path string, info os.FileInfo) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := text(w, "(", "type", "regular"); err != nil {
		return err
	}
	if info.Mode()&0o100 != 0 {
		if err := text(w, "executable", ""); err != nil {
			return err
		}
	}
	return text(w, "contents", string(b), ")")
}

func directory(w io.Writer, path string) error {
	entries, err := os.ReadDir(path) // sorted by name, byte by byte, as the archive wants
	if err != nil {
		return err
	}
	if err := text(w, "(", "type", "directory"); err != nil {
		return err
	}
	for _, e := range entries {
		if err := text(w, "entry", "(", "name", e.Name(), "node"); err != nil {
			return err
		}
		if err := node(w, filepath.Join(path, e.Name())); err != nil {
			return err
		}
		if err := text(w, ")"); err != nil {
			return err
		}
	}
	return text(w, ")")
}

// text writes strings as the archive does: length u64 little-endian, bytes, zeros up to a multiple of eight.
func text(w io.Writer, words ...string) error {
	for _, s := range words {
		b := binary.LittleEndian.AppendUint64(nil, uint64(len(s)))
		b = append(b, s...)
		b = append(b, make([]byte, -len(s)&7)...)
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}
