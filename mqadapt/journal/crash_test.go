package journal

import "strconv"

func itoa(n int) string { return strconv.Itoa(n) }

func play() (int, bool) { return 0, false }
