package brokers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// What a broker of Apache Kafka consists of. Maven knows what it depends on, and where to get it: its own settings say.
const (
	kafkaVersion  = "4.4.0"
	kafkaPlugin   = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
	kafkaPatience = 5 * time.Minute

	kafkaProject = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>pulse</groupId>
  <artifactId>kafka-broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>` + kafkaVersion + `</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`
)

// KafkaJars returns the directory of a broker's jars and fetches them if they are not there yet, 43 MB, within five minutes. They are kept
// below the user's cache, for each version.
func KafkaJars(ctx context.Context) (string, error) {
	dir, err := kafkaDir()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", fmt.Errorf("%w: no jars of Kafka in %s, and no mvn, which gets them: scripts/setup.sh brokers", ErrMissing, dir)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return "", fmt.Errorf("brokers: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".new") // beside the others, so that it gets its name at once
	if err != nil {
		return "", fmt.Errorf("brokers: %w", err)
	}
	defer os.RemoveAll(tmp)
	if err := fetchJars(ctx, mvn, tmp); err != nil {
		return "", err
	}
	if err := os.Rename(filepath.Join(tmp, "jars"), dir); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("brokers: %w", err)
	}
	return dir, nil
}

func kafkaDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("brokers: %w", err)
	}
	return filepath.Join(cache, "pulse", "kafka", kafkaVersion), nil
}

// fetchJars has Maven copy all that a broker depends on into dir/jars.
func fetchJars(ctx context.Context, mvn, dir string) error {
	project := filepath.Join(dir, "pom.xml")
	if err := os.WriteFile(project, []byte(kafkaProject), 0o600); err != nil {
		return fmt.Errorf("brokers: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, kafkaPatience)
	defer cancel()
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, mvn, "-B", "-q", "-f", project, kafkaPlugin, "-DincludeScope=runtime",
		"-DoutputDirectory="+filepath.Join(dir, "jars"))
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &said, &said, time.Second
	if err := cmd.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		return fmt.Errorf("%w: mvn could not get Kafka %s: %w: %s", ErrMissing, kafkaVersion, err, strings.Join(lines[:min(3, len(lines))], " "))
	}
	return nil
}
