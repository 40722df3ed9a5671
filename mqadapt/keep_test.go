package mqadapt_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alphapulse/transport/mqadapt"
)

func TestKeepWaitsLongerEachTimeAndNeverBeyondItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		broken, heard := errors.New("no broker"), 0
		var last time.Time
		var longest time.Duration
		tries := 0
		err := mqadapt.Keep(ctx, func(context.Context) error {
			if tries++; tries > 1 {
				longest = max(longest, time.Since(last))
				if w := time.Since(last); w < 50*time.Millisecond || w > 5*time.Second {
					t.Errorf("try %d after %s", tries, w)
				}
			}
			if last = time.Now(); tries == 200 {
				cancel()
			}
			return broken
		}, func(err error) {
			if heard++; !errors.Is(err, broken) {
				t.Error(err)
			}
		})
		if err != nil || tries != 200 || heard != 199 || longest < time.Second {
			t.Errorf("%v after %d tries, %d heard, at most %s apart", err, tries, heard, longest)
		}
	})
}

func TestKeepEndsWithWhatNoTimeHeals(t *testing.T) {
	for _, final := range []error{mqadapt.ErrOptions, mqadapt.ErrFenced, mqadapt.ErrCorrupt, mqadapt.ErrClosed} {
		err := mqadapt.Keep(t.Context(), func(context.Context) error { return fmt.Errorf("here: %w", final) }, nil)
		if !errors.Is(err, final) {
			t.Error(err)
		}
	}
}
