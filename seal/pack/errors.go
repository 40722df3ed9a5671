package pack

import "errors"

// What Unpack and New may answer. Unpack returns these bare: a body that is refused allocates nothing of ours.
var (
	// ErrCorrupt: the body is not what its codec writes, or expands to another length. Count it as malformed and go on.
	ErrCorrupt = errors.New("pack: corrupt body")

	// ErrRatio: the header promises more than MaxRatio times what arrived. Nothing was expanded; count and go on.
	ErrRatio = errors.New("pack: body would expand beyond the largest ratio")

	// ErrTooLarge: the header promises more than MaxExpanded bytes. Nothing was expanded; count and go on.
	ErrTooLarge = errors.New("pack: body would expand beyond the largest size")

	// ErrCodec: the number names no codec, or one that Options.Accept leaves out. Count it; the two ends are configured apart.
	ErrCodec = errors.New("pack: codec unknown or not accepted")

	// ErrDictionary: the body needs a dictionary that is not ours, or what was given as a dictionary is none. Give both ends the same.
	ErrDictionary = errors.New("pack: dictionary missing, different or not usable")

	// ErrOptions: Options or a method's name make no sense. Nothing was made; correct them.
	ErrOptions = errors.New("pack: options")
)
