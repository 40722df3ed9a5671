package brokers

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// KindPrometheus is a server of Prometheus. It is no broker, and is run like one.
const KindPrometheus Kind = "prometheus"

func init() { recipes[KindPrometheus] = prometheusRecipe("") }

func prometheusRecipe(config string) *recipe {
	return &recipe{kind: KindPrometheus, ports: 1, patience: 30 * time.Second, command: prometheusCommand, probe: probePrometheus,
		settle: func(b *Broker) error {
			return os.WriteFile(filepath.Join(b.Dir, "prometheus.yml"), []byte(config), 0o600)
		},
		url: func(b *Broker) string { return "http://" + b.Addr() }}
}

// Prometheus starts a private server of Prometheus with the text of its configuration, which may name files by absolute paths. It takes native histograms.
func Prometheus(dir, config string) (*Broker, error) { return open(prometheusRecipe(config), dir) }

func prometheusCommand(b *Broker) (*exec.Cmd, error) {
	path, err := exec.LookPath("prometheus")
	if err != nil {
		return nil, fmt.Errorf("%w: no prometheus: scripts/setup.sh monitor", ErrMissing)
	}
	return exec.Command(path, "--config.file="+filepath.Join(b.Dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(b.Dir, "data"),
		"--web.listen-address="+b.Addr(), "--enable-feature=native-histograms", "--log.level=warn"), nil
}

func probePrometheus(ctx context.Context, addr string) error {
	_, err := get(ctx, "http://"+addr+"/-/ready")
	return err
}

// Answer is one series of an answer of Prometheus.
type Answer struct {
	Labels map[string]string
	Value  float64
}

// Query asks a Prometheus what an expression is now.
func (b *Broker) Query(ctx context.Context, expr string) ([]Answer, error) {
	text, err := get(ctx, b.URL+"/api/v1/query?query="+url.QueryEscape(expr))
	if err != nil {
		return nil, fmt.Errorf("brokers: %s: %w", expr, err)
	}
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string `json:"metric"`
				Value  [2]any            `json:"value"` // when, and a number as text; none of a histogram
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("brokers: %s: %w: %s", expr, err, text)
	}
	var all []Answer
	for _, r := range answer.Data.Result {
		a := Answer{Labels: r.Metric}
		if s, ok := r.Value[1].(string); ok {
			if a.Value, err = strconv.ParseFloat(s, 64); err != nil {
				return nil, fmt.Errorf("brokers: %s: %w", expr, err)
			}
		}
		all = append(all, a)
	}
	return all, nil
}

// get reads at most 16 MiB of what is at a URL.
func get(ctx context.Context, at string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	r.Close = true // no connection stays behind
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 16<<20))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, text)
	}
	return text, err
}
