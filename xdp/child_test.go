package xdp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/alphapulse/transport/internal/netlab"
)

const childEnv = "PULSE_XDP_CHILD" // attach mode of a child of this test

func TestMain(m *testing.M) {
	if mode := os.Getenv(childEnv); mode != "" {
		os.Exit(child(mode))
	}
	goleak.VerifyTestMain(m)
}

// child opens a device on the interface it finds, says so or why not, and keeps it until standard input ends.
func child(mode string) int {
	o := Options{Interface: netlab.Device, Ports: []uint16{port}, Copying: Copy}
	switch mode {
	case "native":
		o.Attach = AttachNative
	case "generic":
		o.Attach = AttachGeneric
	case "send":
		o.Ports = nil
	}
	d, err := Open(o)
	if err != nil {
		fmt.Printf("rights=%v memlock=%v permission=%v: %s\n", errors.Is(err, ErrRights), errors.Is(err, ErrMemlock),
			errors.Is(err, os.ErrPermission), strings.ReplaceAll(err.Error(), "\n", "; "))
		return 0
	}
	fmt.Println("open:", d.Mode())
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := d.Close(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// start runs a child in host b, by way of the words in front if any, and returns it and what it says.
func (b *bed) start(mode string, words ...string) (cmd *exec.Cmd, said string) {
	b.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	words = append(slices.Clone(words), exe)
	cmd = b.lab.Command(context.Background(), "b", words[0], words[1:]...)
	cmd.Env = append(os.Environ(), childEnv+"="+mode)
	in, err := cmd.StdinPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // of one that was killed, too
	})
	said, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.t.Fatalf("child says %q: %v", said, err)
	}
	return cmd, strings.TrimSpace(said)
}

func TestAKilledProcessLeavesTheInterfaceAsItWas(t *testing.T) {
	for _, mode := range []string{"generic", "native"} {
		t.Run(mode, func(t *testing.T) {
			b := newBed(t, netlab.Options{})
			a, kernel := b.listen("a", b.addr4("a")), b.listen("b", b.addr4("b"))
			cmd, said := b.start(mode)
			if !strings.HasPrefix(said, "open: "+mode) {
				t.Fatal(said)
			}
			say(t, a, []byte("the child's"), b.addr4("b"))
			if _, err := b.try("b", Options{Ports: []uint16{port}}); !errors.Is(err, ErrForeign) {
				t.Errorf("beside a living owner: %v", err)
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // it was killed
			say(t, a, []byte("the kernel's"), b.addr4("b"))
			hear(t, kernel, []byte("the kernel's"))
			d := b.open("b", Options{Ports: []uint16{port}})
			say(t, a, []byte("the next one's"), b.addr4("b"))
			expect(t, []byte("the next one's"), d.Sockets()[0])
		})
	}
}

func TestMissingRightsAreNamed(t *testing.T) {
	for _, word := range []string{"setpriv", "prlimit"} {
		if _, err := exec.LookPath(word); err != nil {
			t.Skipf("no %s command (package util-linux)", word)
		}
	}
	b := newBed(t, netlab.Options{})
	for _, c := range []struct {
		mode, without string
		want          []string // in what the child says
	}{
		{"generic", "-net_raw", []string{"rights=true memlock=false permission=true", "CAP_NET_RAW"}},
		{"native", "-net_admin,-sys_admin", []string{"rights=true memlock=false permission=true", "CAP_NET_ADMIN"}},
		{"generic", "-bpf,-sys_admin", []string{"rights=true memlock=false permission=true", "CAP_BPF"}},
		{"generic", "-all", []string{"rights=true", "CAP_BPF", "CAP_NET_ADMIN", "CAP_NET_RAW"}},
		{"generic", "-ipc_lock", []string{"rights=false memlock=true", "RLIMIT_MEMLOCK", "65536", "CAP_IPC_LOCK"}},
		{"send", "-bpf,-sys_admin,-net_admin", []string{"open: send only"}},
		{"generic", "-sys_admin", []string{"open: generic"}},
	} {
		words := []string{"setpriv", "--bounding-set=" + c.without}
		if strings.Contains(c.without, "ipc_lock") {
			words = append([]string{"prlimit", "--memlock=65536"}, words...)
		}
		cmd, said := b.start(c.mode, words...)
		for _, want := range c.want {
			if !strings.Contains(said, want) {
				t.Errorf("%s without %s says %q, not %q", c.mode, c.without, said, want)
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}
