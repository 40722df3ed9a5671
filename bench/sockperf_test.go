package bench

import (
	"errors"
	"strings"
	"testing"
)

const sockperfPrints = "sockperf: Summary: Round trip is 11.553 usec\n" +
	"sockperf: \x1b[2;35mTotal 47445 observations\x1b[0m; each percentile contains 474.45 observations\n" +
	"sockperf: ---> <MAX> observation = 10083.684\n" +
	"sockperf: ---> percentile 99.999 = 9000.000\n" +
	"sockperf: ---> percentile 99.990 = 1200.500\n" +
	"sockperf: ---> percentile 99.900 =   67.250\n" +
	"sockperf: ---> percentile 99.000 =   14.125\n" +
	"sockperf: ---> percentile 90.000 =    9.500\n" +
	"sockperf: ---> percentile 50.000 =    8.696\n" +
	"sockperf: ---> <MIN> observation =    7.013\n"

func TestSockperfIsReadInNanoseconds(t *testing.T) {
	l, err := parseSockperf(sockperfPrints)
	if err != nil {
		t.Fatal(err)
	}
	want := Latency{P50: 8696, P90: 9500, P99: 14125, P999: 67250, Max: 10083684, Samples: 47445}
	if *l != want {
		t.Errorf("%+v instead of %+v", *l, want)
	}
}

func TestSockperfWithoutFiguresIsNoBaseline(t *testing.T) {
	for _, text := range []string{
		"", "sockperf: Test ended\n", strings.Replace(sockperfPrints, "8.696", "fast", 1), strings.Replace(sockperfPrints, "8.696", "-1", 1),
		strings.Replace(sockperfPrints, "8.696", "1e300", 1), strings.Replace(sockperfPrints, "Total 47445", "Total many", 1),
	} {
		if l, err := parseSockperf(text); !errors.Is(err, errSockperf) {
			t.Errorf("%q: %v %v", text, l, err)
		}
	}
}

func TestMissingSockperfIsANote(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	r, err := UDPPingPong{brief()}.Run(t.Context())
	if err != nil || len(r.Notes) != 1 || r.Notes[0] != errNoSockperf.Error() {
		t.Error(r.Notes, err)
	}
}
