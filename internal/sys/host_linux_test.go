package sys

import (
	"errors"
	"os"
	"testing"
)

func TestDriversThatDoNotAnswerAreToldFromThoseThatAreNotThere(t *testing.T) {
	if _, err := CardOf("lo"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("loopback has no rings, and the answer is %v", err)
	}
	if _, err := CardOf("no-such-card"); err == nil || errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a card that is not there: %v", err)
	}
	if on, err := LargeReceive("lo"); err != nil || on {
		t.Errorf("loopback glues packets: %v, %v", on, err)
	}
}

func TestFreeBytesAreOfTheFileSystem(t *testing.T) {
	n, err := FreeBytes(t.TempDir())
	if err != nil || n == 0 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, err := FreeBytes("/no/such/place"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a path that is not there: %v", err)
	}
}

func TestTheClockSaysHowWrongItMayBe(t *testing.T) {
	if _, worst, err := ClockDiscipline(); err != nil || worst < 0 {
		t.Errorf("%v, %v", worst, err)
	}
}
