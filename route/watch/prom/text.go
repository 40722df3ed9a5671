package prom

import (
	"errors"
	"fmt"
	"io"

	"github.com/prometheus/common/expfmt"
)

// WriteText writes what /metrics answers to who reads text. An error says what could not be told; the rest is written all the same.
func (v *View) WriteText(w io.Writer) error {
	_, unread := v.Snapshots()
	all, err := v.Registry().Gather()
	faults := []error{unread, err}
	for _, family := range all {
		if _, err := expfmt.MetricFamilyToText(w, family); err != nil {
			return fmt.Errorf("prom: %w", err)
		}
	}
	return errors.Join(faults...)
}
