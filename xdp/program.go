package xdp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

// Of struct xdp_md, the program's argument.
const (
	ctxData  = 0
	ctxEnd   = 4
	ctxQueue = 16
)

// Verdicts of an XDP program.
const (
	verdictDrop = 1
	verdictPass = 2
)

// fragsFlag is BPF_F_XDP_HAS_FRAGS, since Linux 5.18: the program runs on packets of several buffers.
const fragsFlag = 1 << 5

// program takes datagrams to our ports off an interface. It is gone when the process is, however that ends: the kernel detaches a
// link whose last descriptor is closed.
type program struct {
	sockets *ebpf.Map // queue → socket
	passed  *ebpf.Map // counters of each CPU, by what is passed on
	lost    *ebpf.Map // one counter; nil without loss
	loaded  *ebpf.Program
	link    link.Link
	frags   bool
	loss    float64
}

// loadProgram loads the program and its maps, for queues below that number.
func loadProgram(ports []uint16, queues int, frags bool, loss float64) (p *program, err error) {
	p = &program{}
	p.sockets, err = ebpf.NewMap(&ebpf.MapSpec{Name: "pulse_sockets", Type: ebpf.XSKMap, KeySize: 4, ValueSize: 4, MaxEntries: uint32(queues)})
	if err != nil {
		return nil, err
	}
	p.passed, err = ebpf.NewMap(&ebpf.MapSpec{Name: "pulse_passed", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 8, MaxEntries: passKinds})
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.frags, p.loss = frags, loss
	if loss > 0 {
		p.lost, err = ebpf.NewMap(&ebpf.MapSpec{Name: "pulse_lost", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
	}
	if p.loaded, err = p.load(ports); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// load makes the program for these ports.
func (p *program) load(ports []uint16) (*ebpf.Program, error) {
	lost := -1
	if p.lost != nil {
		lost = p.lost.FD()
	}
	spec := &ebpf.ProgramSpec{Name: "pulse_steer", Type: ebpf.XDP, License: "MIT", Instructions: steer(ports, p.sockets.FD(), p.passed.FD(), lost, p.loss)}
	if p.frags {
		spec.Flags = fragsFlag
	}
	return ebpf.NewProgram(spec)
}

// replace has a program for other ports take the place of the one that is attached, between two packets: the maps are the same.
func (p *program) replace(ports []uint16) error {
	next, err := p.load(ports)
	if err != nil {
		return err
	}
	if err := p.link.Update(next); err != nil {
		return errors.Join(err, next.Close())
	}
	last := p.loaded
	p.loaded = next
	return last.Close()
}

// steer redirects UDP datagrams to ports into the map's sockets, by queue, and passes everything else: other protocols, fragments,
// IPv4 with options, IPv6 with extension headers, more than one VLAN tag, and what comes on a queue without a socket. What is passed on is
// counted, by kind.
func steer(ports []uint16, sockets, passed, lost int, loss float64) asm.Instructions {
	const (
		eth        = 14
		vlan       = 4
		ipv4       = 20
		ipv6       = 40
		udp        = 8
		ipUDP      = 17
		ipFragment = 44   // IPv6's header of fragments
		simple     = 0x45 // IPv4 without options
	)
	p := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.Mov.Imm(asm.R8, passForeign), // what it is if it is passed on
		asm.LoadMem(asm.R2, asm.R6, ctxData, asm.Word),
		asm.LoadMem(asm.R3, asm.R6, ctxEnd, asm.Word),
	}
	// within passes packets that end before the nth byte.
	within := func(n int32) {
		p = append(p, asm.Mov.Reg(asm.R4, asm.R2), asm.Add.Imm(asm.R4, n), asm.JGT.Reg(asm.R4, asm.R3, "pass"))
	}
	within(eth)
	p = append(p,
		asm.LoadMem(asm.R5, asm.R2, 12, asm.Half),
		asm.JEq.Imm(asm.R5, wire(0x8100), "tagged"),
		asm.JNE.Imm(asm.R5, wire(0x88a8), "network"),
	)
	p = append(p, asm.Mov.Reg(asm.R4, asm.R2).WithSymbol("tagged"), asm.Add.Imm(asm.R4, eth+vlan), asm.JGT.Reg(asm.R4, asm.R3, "pass"))
	p = append(p,
		asm.LoadMem(asm.R5, asm.R2, eth+2, asm.Half),
		asm.Add.Imm(asm.R2, vlan),
		asm.JEq.Imm(asm.R5, wire(0x86dd), "ipv6").WithSymbol("network"),
		asm.JNE.Imm(asm.R5, wire(0x0800), "pass"),
	)
	within(eth + ipv4 + udp)
	p = append(p,
		asm.LoadMem(asm.R5, asm.R2, eth, asm.Byte),
		asm.JNE.Imm(asm.R5, simple, "pass"),
		asm.LoadMem(asm.R5, asm.R2, eth+6, asm.Half),
		asm.And.Imm(asm.R5, wire(0x3fff)), // more fragments, offset
		asm.JNE.Imm(asm.R5, 0, "fragment"),
		asm.LoadMem(asm.R5, asm.R2, eth+9, asm.Byte),
		asm.JNE.Imm(asm.R5, ipUDP, "pass"),
		asm.LoadMem(asm.R7, asm.R2, eth+ipv4+2, asm.Half),
		asm.Ja.Label("port"),
	)
	p = append(p, asm.Mov.Reg(asm.R4, asm.R2).WithSymbol("ipv6"), asm.Add.Imm(asm.R4, eth+ipv6+udp), asm.JGT.Reg(asm.R4, asm.R3, "pass"))
	p = append(p,
		asm.LoadMem(asm.R5, asm.R2, eth+6, asm.Byte),
		asm.JEq.Imm(asm.R5, ipFragment, "fragment"),
		asm.JNE.Imm(asm.R5, ipUDP, "pass"),
		asm.LoadMem(asm.R7, asm.R2, eth+ipv6+2, asm.Half),
	)
	for i, port := range ports {
		jump := asm.JEq.Imm(asm.R7, wire(port), "ours")
		if i == 0 {
			jump = jump.WithSymbol("port")
		}
		p = append(p, jump)
	}
	p = append(p, asm.Ja.Label("pass"), asm.Mov.Imm(asm.R8, passFragment).WithSymbol("fragment"))
	p = append(p, count("pass", passed)...)
	p = append(p, asm.Mov.Reg(asm.R1, asm.R6).WithSymbol("ours"))
	if loss > 0 {
		p = append(p, lose(lost, loss)...)
	}
	return append(p,
		asm.LoadMem(asm.R2, asm.R6, ctxQueue, asm.Word),
		asm.LoadMapPtr(asm.R1, sockets),
		asm.Mov.Imm(asm.R3, verdictPass), // where the map has no socket
		asm.FnRedirectMap.Call(),
		asm.Mov.Imm(asm.R8, passUnserved),
		asm.JEq.Imm(asm.R0, verdictPass, "pass"),
		asm.Return(),
	)
}

// What is passed on to the kernel.
const (
	passForeign = iota
	passFragment
	passUnserved
	passKinds
)

// count passes a packet on and counts it by its kind, which is in R8.
func count(symbol string, counters int) asm.Instructions {
	return asm.Instructions{
		asm.StoreMem(asm.RFP, -4, asm.R8, asm.Word).WithSymbol(symbol),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -4),
		asm.LoadMapPtr(asm.R1, counters),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "uncounted"),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord),
		asm.Add.Imm(asm.R1, 1),
		asm.StoreMem(asm.R0, 0, asm.R1, asm.DWord), // this CPU's own
		asm.Mov.Imm(asm.R0, verdictPass).WithSymbol("uncounted"),
		asm.Return(),
	}
}

// lose drops a share of what comes by, each drawn by itself, and counts it.
func lose(counter int, share float64) asm.Instructions {
	return asm.Instructions{
		asm.FnGetPrandomU32.Call(),
		asm.Mov.Reg32(asm.R0, asm.R0),
		asm.LoadImm(asm.R1, int64(share*(1<<32)), asm.DWord),
		asm.JGE.Reg(asm.R0, asm.R1, "keep"),
		asm.StoreImm(asm.RFP, -4, 0, asm.Word),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -4),
		asm.LoadMapPtr(asm.R1, counter),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "drop"),
		asm.Mov.Imm(asm.R1, 1),
		asm.StoreXAdd(asm.R0, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R0, verdictDrop).WithSymbol("drop"),
		asm.Return(),
		asm.Mov.Reg(asm.R1, asm.R6).WithSymbol("keep"),
	}
}

// wire is what a 16-bit load finds where v was sent.
func wire(v uint16) int32 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return int32(binary.NativeEndian.Uint16(b[:]))
}

// attach puts the program on the interface; another one is left where it is.
func (p *program) attach(index int, at Attach) (err error) {
	flags := link.XDPDriverMode
	if at == AttachGeneric {
		flags = link.XDPGenericMode
	}
	p.link, err = link.AttachXDP(link.XDPOptions{Program: p.loaded, Interface: index, Flags: flags})
	if errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EEXIST) {
		return fmt.Errorf("%w: %w", ErrForeign, err)
	}
	return err
}

// attached reports whether the program is where it was put. The kernel takes it away when it is told to, and when the interface goes.
func (p *program) attached() (bool, error) {
	info, err := p.link.Info()
	if err != nil {
		return false, err
	}
	return info.XDP().Ifindex != 0, nil
}

// steerTo has the program redirect to a socket what comes on its queue.
func (p *program) steerTo(queue, fd int) error { return p.sockets.Put(uint32(queue), uint32(fd)) }

// passedOn sums what all CPUs counted.
func (p *program) passedOn() (sums [passKinds]uint64, err error) {
	for kind := range sums {
		var each []uint64
		if err := p.passed.Lookup(uint32(kind), &each); err != nil {
			return sums, err
		}
		for _, n := range each {
			sums[kind] += n
		}
	}
	return sums, nil
}

// injected is how many datagrams were lost on purpose.
func (p *program) injected() (n uint64, err error) {
	if p.lost != nil {
		err = p.lost.Lookup(uint32(0), &n)
	}
	return n, err
}

// close detaches first: what comes meanwhile is the kernel's again.
func (p *program) close() error {
	var faults []error
	if p.link != nil {
		faults = append(faults, p.link.Close())
	}
	if p.loaded != nil {
		faults = append(faults, p.loaded.Close())
	}
	for _, m := range []*ebpf.Map{p.passed, p.lost} {
		if m != nil {
			faults = append(faults, m.Close())
		}
	}
	return errors.Join(append(faults, p.sockets.Close())...)
}
