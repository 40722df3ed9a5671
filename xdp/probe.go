package xdp

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/alphapulse/transport/internal/sys"
)

// Ability is what an interface can do for this process, as far as the kernel tells without trying.
type Ability struct {
	Interface string
	Driver    string // "" where it does not say
	MTU       int
	Queues    int
	Told      bool // the driver has said what it can do, since Linux 6.3; otherwise Native, ZeroCopy and Segments show only when tried
	Send      bool
	Generic   bool
	Native    bool
	ZeroCopy  bool
	Segments  bool     // packets of several chunks
	Why       []Reason // one for each that it cannot
}

var (
	errSaysNo   = errors.New("the driver says no")
	errSaysNone = errors.New("the driver does not say")
)

// Probe looks at an interface of the calling thread's network namespace and changes nothing. What it says is what Open would find
// with default options, unless the driver does not keep its word.
func Probe(name string) (Ability, error) {
	a := Ability{Interface: name, Send: true, Generic: true}
	facts, err := sys.DeviceOf(name)
	if err != nil {
		return a, fmt.Errorf("xdp: probe %s: %w", name, err)
	}
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return a, fmt.Errorf("xdp: probe %s: %w", name, err)
	}
	a.Driver, a.Queues, a.MTU = facts.Driver, facts.Queues, iface.MTU
	a.drive(iface)
	a.permit(facts)
	if iface.Flags&net.FlagUp == 0 {
		a.not("traffic", ErrDown)
	}
	return a, nil
}

func (a *Ability) not(wish string, err error) { a.Why = append(a.Why, Reason{wish, err}) }

// drive asks the driver.
func (a *Ability) drive(iface *net.Interface) {
	f, err := sys.FeaturesOf(iface.Index)
	if err != nil {
		a.not("native, zero-copy and several chunks", fmt.Errorf("%w: %w", errSaysNone, err))
		return
	}
	a.Told = true
	a.Native = f.Basic && f.Redirect
	if !a.Native {
		a.not("native", errSaysNo)
	} else if !f.Segments && a.MTU > oneBuffer {
		a.Native = false
		a.not("native", fmt.Errorf("MTU %d takes several buffers, and the driver knows one: at most %d", a.MTU, oneBuffer))
	}
	a.Segments = f.Segments
	large := a.MTU+link2+headroom > 4096
	a.ZeroCopy = a.Native && f.ZeroCopy && (!large || f.ZeroCopySegments > 1)
	switch {
	case a.ZeroCopy:
	case !f.ZeroCopy:
		a.not("zero-copy", errSaysNo)
	case !a.Native:
		a.not("zero-copy", errZeroCopyGeneric)
	default:
		a.not("zero-copy", fmt.Errorf("MTU %d takes several chunks, and the driver takes one", a.MTU))
	}
	if !f.Segments {
		a.not("several chunks a packet, native", errSaysNo)
	}
}

// permit asks what this process may do.
func (a *Ability) permit(facts sys.Device) {
	receive := func(err error) {
		a.Generic, a.Native, a.ZeroCopy = false, false, false
		a.not("receiving", err)
	}
	if facts.Foreign != 0 {
		receive(foreign(facts))
	}
	missing := missingRights()
	if len(missing) > 0 {
		receive(fmt.Errorf("%w: it takes %s", ErrRights, strings.Join(missing, ", ")))
	}
	for _, name := range missing {
		if strings.HasPrefix(name, sockets) {
			a.Send = false
			a.not("sending", fmt.Errorf("%w: it takes %s", ErrRights, name))
		}
	}
}

// foreign names a program that is not ours, or not this device's.
func foreign(facts sys.Device) error {
	at := AttachNative
	if facts.Generic {
		at = AttachGeneric
	}
	return fmt.Errorf("%w: program %d, %s", ErrForeign, facts.Foreign, at)
}

// Explain is a line for the interface, and one for each reason.
func (a Ability) Explain() string {
	driver := a.Driver
	if driver == "" {
		driver = "unknown driver"
	}
	can := []string{}
	for _, c := range []struct {
		is   bool
		word string
	}{{a.Send, "send"}, {a.Generic, "generic"}, {a.Native, "native"}, {a.ZeroCopy, "zero-copy"}} {
		if c.is {
			can = append(can, c.word)
		}
	}
	if len(can) == 0 {
		can = append(can, "nothing")
	}
	lines := []string{fmt.Sprintf("%s: %s, MTU %d, queues %d: %s", a.Interface, driver, a.MTU, a.Queues, strings.Join(can, ", "))}
	for _, r := range a.Why {
		lines = append(lines, "not "+strings.ReplaceAll(r.String(), "\n", "; "))
	}
	return strings.Join(lines, "\n")
}
