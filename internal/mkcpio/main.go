// Command mkcpio writes the initial file system of an emulated machine: a cpio archive in the "newc" form that Linux unpacks.
//
//	mkcpio OUT NAME=FILE ...
//
// The life of one file: its argument names it inside the machine, it is written executable and owned by root behind a header of
// hexadecimal digits, padded to four bytes. A console device comes before all files, as the first process has nowhere to print to
// otherwise.
//
// Limits: names are plain, without directories; files are read into memory and stay below 4 GiB; nothing is compressed.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
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
	if err := a.dir("dev"); err != nil {
		return err
	}
	if err := a.device("dev/console", 5, 1); err != nil {
		return err
	}
	for _, arg := range files {
		name, path, ok := strings.Cut(arg, "=")
		if !ok || name == "" || strings.Contains(name, "/") {
			return fmt.Errorf("argument %q is not NAME=FILE", arg)
		}
		content, err := os.ReadFile(path)
		if err != nil {
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
