// Command mkcpio writes the initial file system of an emulated machine: a cpio archive in the "newc" form that Linux unpacks.
//
//	mkcpio OUT NAME=FILE ...
//
// The life of one file: its argument names it inside the machine, it is written executable and owned by root behind a header of
// hexadecimal digits, padded to four bytes. A console device comes before all files, as the first process has nowhere to print to
// otherwise. Directories in a name come before the first file in them.
//
// Limits: files are read into memory and stay below 4 GiB; nothing is compressed.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: mkcpio OUT NAME=FILE ...")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "mkcpio:", err)
		os.Exit(3)
	}
}

func run(out string, files []string) (err error) {
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b := bufio.NewWriter(f)
	a := archive{w: b}
	made := map[string]bool{}
	if err := a.dirs(made, "dev"); err != nil {
		return err
	}
	if err := a.device("dev/console", 5, 1); err != nil {
		return err
	}
	for _, arg := range files {
		name, from, ok := strings.Cut(arg, "=")
		if !ok || name == "." || !fs.ValidPath(name) {
			return fmt.Errorf("argument %q is not NAME=FILE", arg)
		}
		content, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := a.dirs(made, path.Dir(name)); err != nil {
			return err
		}
		if err := a.file(name, content); err != nil {
			return err
		}
	}
	if err := a.end(); err != nil {
		return err
	}
	return b.Flush()
}

// dirs makes a directory and those it lies in, each once.
func (a *archive) dirs(made map[string]bool, name string) error {
	if name == "." || made[name] {
		return nil
	}
	made[name] = true
	if err := a.dirs(made, path.Dir(name)); err != nil {
		return err
	}
	return a.dir(name)
}
