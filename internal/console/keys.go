package console

import "unicode/utf8"

// named are bytes and sequences that terminals send for keys that are no character.
var named = map[string]string{
	"\x03": "ctrl-c", "\t": "tab", "\r": "enter", "\n": "enter", "\x7f": "backspace", "\b": "backspace",
	"\x1b[A": "up", "\x1b[B": "down", "\x1b[C": "right", "\x1b[D": "left", "\x1b[H": "home", "\x1b[F": "end", "\x1b[Z": "shift-tab",
	"\x1bOA": "up", "\x1bOB": "down", "\x1bOC": "right", "\x1bOD": "left", "\x1bOH": "home", "\x1bOF": "end",
	"\x1b[1~": "home", "\x1b[4~": "end", "\x1b[5~": "page-up", "\x1b[6~": "page-down", "\x1b[7~": "home", "\x1b[8~": "end",
}

// mostSequence is how long a sequence can be; what is longer is none.
const mostSequence = 16

// Keys are the keys that bytes of a terminal stand for, in their order: characters, or names such as "up". Keys without a meaning are passed
// over. rest is the beginning of a sequence whose other bytes have not come: the escape key, if none do.
func Keys(b []byte) (keys []string, rest []byte) {
	for len(b) > 0 {
		n, whole := sequence(b)
		if !whole {
			return keys, b
		}
		if k, ok := named[string(b[:n])]; ok {
			keys = append(keys, k)
		} else if b[0] >= ' ' && utf8.Valid(b[:n]) {
			keys = append(keys, string(b[:n]))
		} else if b[0] == 0x1b && n == 1 {
			keys = append(keys, "esc")
		}
		b = b[n:]
	}
	return keys, nil
}

// sequence is how many bytes the first key has, unless some are missing.
func sequence(b []byte) (n int, whole bool) {
	if b[0] != 0x1b {
		if !utf8.FullRune(b) {
			return 0, false
		}
		_, n = utf8.DecodeRune(b)
		return n, true
	}
	if len(b) == 1 {
		return 0, false
	}
	switch b[1] {
	case 'O':
		if len(b) < 3 {
			return 0, false
		}
		return 3, true
	case '[':
		for i := 2; i < len(b); i++ {
			if b[i] >= 0x40 && b[i] <= 0x7e {
				return i + 1, true
			}
			if b[i] < 0x20 || i == mostSequence {
				return 1, true
			}
		}
		if len(b) <= mostSequence {
			return 0, false
		}
	}
	return 1, true
}
