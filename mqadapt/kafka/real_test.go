package kafka

import (
	"errors"
	"strings"
	"testing"

	"github.com/alphapulse/transport/internal/brokers"
)

// realBroker is one for all tests of this package that do not hurt it: the one that PULSE_KAFKA names, or a private one.
func realBroker(t *testing.T) []string {
	t.Helper()
	b, err := brokers.Use(brokers.KindKafka)
	unlessMissing(t, err)
	return strings.Split(b.URL, ",")
}

// private is a broker of the test's own, to be killed.
func private(t *testing.T, settings ...string) *brokers.Broker {
	t.Helper()
	b, err := brokers.Kafka("", settings...)
	unlessMissing(t, err)
	t.Cleanup(func() {
		if err := b.Kill(); err != nil { // it takes its time to end in good order
			t.Error(err)
		}
		if err := b.Stop(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func unlessMissing(t *testing.T, err error) {
	t.Helper()
	switch {
	case errors.Is(err, brokers.ErrMissing), errors.Is(err, errors.ErrUnsupported):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
}

func TestRealBrokerAnswersAsTheFakeOneDoes(t *testing.T) {
	for name, test := range map[string]func(*testing.T, []string){
		"provisioning": provisioning, "a topic deleted": topicDeleted, "a limit lowered": limitLowered, "lag": lagging, "retention": dropped,
		"a shared group": shared, "fencing": fencing,
	} {
		t.Run(name, func(t *testing.T) { test(t, realBroker(t)) })
	}
}
