package seal_test

import (
	"fmt"

	"github.com/alphapulse/transport/seal"
)

func ExampleFrame() {
	f := seal.Frame{Source: 7, Epoch: 1, Seq: 42, Payload: []byte("hello")}
	fmt.Printf("%d/%d/%d: %s\n", f.Source, f.Epoch, f.Seq, f.Payload)
	// Output: 7/1/42: hello
}
