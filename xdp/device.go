package xdp

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/numa"
)

// What a packet of the interface's MTU takes beyond it.
const (
	headroom   = 256 // that the kernel leaves in front of a packet it receives (XDP_PACKET_HEADROOM)
	link2      = header + 4
	oneBuffer  = 3498 // largest MTU that drivers with pages of 4096 take a program for that knows one buffer
	retries    = 100  // at retryEvery: the kernel lets go of a closed socket's queue and memory within 14 ms
	retryEvery = time.Millisecond
)

// Device is an interface of which this process gets the datagrams to some UDP ports, before the kernel sees them, and sends what it
// likes. It has a Socket for each queue; their chunks are one piece of memory. The zero Device is not valid.
type Device struct {
	options Options
	iface   *net.Interface
	facts   sys.Device
	mode    Mode
	memory  *sys.Mapping
	untold  error // why the kernel can be told nothing of packets to send
	program *program
	sockets []*Socket
	queues  *sys.Queues // the interface's; nil where Options say which

	mu     sync.Mutex
	closed bool
}

// Open takes an interface of the calling thread's network namespace, in the best mode that the options allow and that works. The
// program is detached and the queues are the kernel's again after Close, and when the process ends in whatever way.
func Open(o Options) (*Device, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	d := &Device{options: o}
	if err := d.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("xdp: open %s: %w", o.Interface, rights(err, d.options.memory())), d.Close())
	}
	return d, nil
}

// open is the ladder; Close undoes what was done of it.
func (d *Device) open() (err error) {
	if d.facts, err = sys.DeviceOf(d.options.Interface); err != nil {
		return err
	}
	if d.iface, err = net.InterfaceByName(d.options.Interface); err != nil {
		return err
	}
	if err := d.plan(); err != nil {
		return err
	}
	if err := d.mapMemory(); err != nil {
		return err
	}
	if err := d.attach(); err != nil {
		return err
	}
	if err := d.bind(); err != nil {
		return err
	}
	if d.program == nil {
		return nil
	}
	for _, s := range d.sockets {
		if err := d.program.steerTo(s.queue, s.xsk.FD()); err != nil {
			return fmt.Errorf("socket of queue %d: %w", s.queue, err)
		}
	}
	return nil
}

// plan decides what follows from the interface: queues and chunks.
func (d *Device) plan() (err error) {
	o := &d.options
	if o.Queues == nil {
		for q := range d.facts.Queues {
			o.Queues = append(o.Queues, q)
		}
		if len(o.Ports) > 0 {
			if d.queues, err = sys.OpenQueues(o.Interface); err != nil {
				return err
			}
		}
	}
	if o.ChunkSize == 0 {
		o.ChunkSize = 2048
		if d.iface.MTU+link2+headroom > o.ChunkSize {
			o.ChunkSize = 4096
		}
	}
	d.mode.ChunkSize, d.mode.Queues = o.ChunkSize, len(o.Queues)
	d.mode.Segments = d.iface.MTU+link2+headroom > o.ChunkSize || d.iface.MTU > oneBuffer
	if n := o.memory(); n > MaxMemory {
		return fmt.Errorf("%w: %d bytes of chunks, at most %d", ErrOptions, n, MaxMemory)
	}
	return nil
}

// memory is the bytes of all chunks.
func (o *Options) memory() int {
	return len(o.Queues) * (o.ReceiveChunks + o.SendChunks) * o.ChunkSize
}

// mapMemory maps the chunks outside the Go heap, where Options want them.
func (d *Device) mapMemory() (err error) {
	size := d.options.memory()
	if d.options.HugePages {
		if err = d.mapHuge(size); err == nil {
			d.mode.HugePages = true
			return nil
		}
		d.mode.not("huge pages", err)
	}
	if d.memory, err = sys.Arena(size); err != nil {
		return err
	}
	return d.place()
}

func (d *Device) mapHuge(size int) (err error) {
	if d.memory, err = sys.HugeArena(size); err != nil {
		return err
	}
	if err = d.place(); err == nil {
		err = numa.Prefault(d.memory.All())
	}
	if err != nil {
		err = errors.Join(err, d.memory.Unmap())
		d.memory = nil
	}
	return err
}

// place binds the memory to its node.
func (d *Device) place() error {
	if !d.options.Bind {
		return nil
	}
	return numa.Bind(d.memory.All(), d.options.Node)
}

// attach loads the program and attaches it as well as it goes.
func (d *Device) attach() (err error) {
	o := &d.options
	if len(o.Ports) == 0 {
		d.mode.Attach = AttachNone
		return nil
	}
	if d.facts.Foreign != 0 {
		return foreign(d.facts)
	}
	last := slices.Max(o.Queues) + 1
	d.program, err = loadProgram(o.Ports, last, d.mode.Segments, o.Loss/100)
	if err != nil && d.mode.Segments && errors.Is(err, syscall.EINVAL) {
		d.mode.not("several chunks a packet", err)
		d.mode.Segments = false
		d.program, err = loadProgram(o.Ports, last, false, o.Loss/100)
	}
	if err != nil {
		return err
	}
	var faults []error
	for _, at := range []Attach{AttachNative, AttachGeneric} {
		if o.Attach != AttachAuto && o.Attach != at {
			continue
		}
		err := d.program.attach(d.iface.Index, at)
		if err == nil {
			d.mode.Attach = at
			return nil
		}
		if errors.Is(err, ErrForeign) || errors.Is(err, syscall.EPERM) {
			return err
		}
		err = native(err, d.iface.MTU)
		d.mode.not(at.String(), err)
		faults = append(faults, fmt.Errorf("%s: %w", at, err))
	}
	return fmt.Errorf("%w: %w", ErrMode, errors.Join(faults...))
}

// native says what a driver means.
func native(err error, mtu int) error {
	switch {
	case errors.Is(err, syscall.EOPNOTSUPP):
		return fmt.Errorf("the driver cannot run programs: %w", err)
	case errors.Is(err, syscall.ERANGE), errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.E2BIG):
		return fmt.Errorf("the driver cannot with MTU %d or these queues: %w", mtu, err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.ENOMEM):
		return fmt.Errorf("the driver has too few queues for programs: %w", err)
	}
	return err
}

// bind opens the sockets as well as it goes.
func (d *Device) bind() error {
	var faults []error
	if d.options.Copying != Copy && d.program != nil {
		err := errZeroCopyGeneric
		if d.mode.Attach == AttachNative {
			err = d.bindAll(true)
		}
		if err == nil {
			return nil
		}
		d.mode.not("zero-copy", err)
		faults = append(faults, fmt.Errorf("zero-copy: %w", err))
		if d.options.Copying == ZeroCopy {
			return fmt.Errorf("%w: %w", ErrMode, errors.Join(faults...))
		}
	}
	err := d.bindAll(false)
	if err != nil && d.mode.Segments && errors.Is(err, syscall.EINVAL) {
		d.mode.not("several chunks a packet", err)
		d.mode.Segments = false
		err = d.bindAll(false)
	}
	return err
}

var errZeroCopyGeneric = errors.New("it takes a native program")

// bindAll opens a socket for every queue, or none.
func (d *Device) bindAll(zeroCopy bool) error {
	for i := range d.options.Queues {
		s, err := d.bindOne(i, zeroCopy)
		if err != nil {
			return errors.Join(err, d.closeSockets())
		}
		d.sockets = append(d.sockets, s)
	}
	return d.confirm()
}

// bindOne opens the ith queue's socket. The first one registers the memory, the others share it.
func (d *Device) bindOne(i int, zeroCopy bool) (s *Socket, err error) {
	o := &d.options
	x, err := sys.OpenXSK()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, x.Close())
		}
	}()
	at := sys.XSKBind{Interface: d.iface.Index, Queue: o.Queues[i], ZeroCopy: zeroCopy, Segments: d.mode.Segments}
	if i > 0 {
		at.Share = d.sockets[0].xsk
	} else if err := d.register(x); err != nil {
		return nil, err
	}
	sizes := sys.XSKSizes{Fill: max(o.ReceiveChunks, minRing), Completion: o.SendChunks, Receive: o.ReceiveChunks, Send: o.SendChunks}
	if err := x.MakeRings(sizes); err != nil {
		return nil, err
	}
	first := uint64(i * (o.ReceiveChunks + o.SendChunks) * o.ChunkSize)
	s = newSocket(x, d.memory.All(), o.ChunkSize, first, o.ReceiveChunks, o.SendChunks)
	s.queue = o.Queues[i]
	if d.untold == nil {
		s.tell = sys.XSKTellSize
	}
	if d.mode.Segments {
		s.most = maxChunks
	}
	if err := d.wishes(s); err != nil {
		return nil, err
	}
	err = patient(syscall.EBUSY, func() error { return x.Bind(at) })
	switch {
	case errors.Is(err, syscall.EBUSY):
		err = fmt.Errorf("%w: %w", ErrTaken, err)
	case errors.Is(err, syscall.EINVAL) && s.queue >= d.facts.Queues:
		err = fmt.Errorf("queue %d of %d: %w", s.queue, d.facts.Queues, err)
	}
	return s, err
}

// wishes sets what may be missing, and notes what is in force.
func (d *Device) wishes(s *Socket) error {
	first := len(d.sockets) == 0
	err := s.xsk.SendBudget(min(sendBudget, d.options.SendChunks))
	if err != nil { // the kernels that know it say after each call how many they took
		s.silent = 32
	}
	if first {
		d.mode.SendBudget = 32
		if err == nil {
			d.mode.SendBudget = min(sendBudget, d.options.SendChunks)
		}
	}
	if d.options.BusyPoll == 0 {
		return nil
	}
	err = s.xsk.BusyPoll(d.options.BusyPoll, d.options.BusyBudget)
	s.polled = err == nil
	if first {
		d.mode.BusyPoll = err == nil
		if err != nil {
			d.mode.not("busy poll", err)
		}
	}
	return nil
}

// confirm asks the kernel what is in force.
func (d *Device) confirm() error {
	zc, err := d.sockets[0].xsk.ZeroCopy()
	d.mode.ZeroCopy = zc
	if err != nil {
		return err
	}
	f, told := sys.FeaturesOf(d.iface.Index)
	why := unsummed(d.untold, zc, d.facts.Driver, f)
	if d.mode.Checksums = why == nil; why != nil {
		d.mode.not("checksum offload", why)
	}
	for _, s := range d.sockets {
		s.sums = d.mode.Checksums
		if !zc {
			continue
		}
		s.direct, s.silent = true, 0
		if told == nil && d.mode.Segments {
			s.most = max(min(s.most, f.ZeroCopySegments), 1)
		}
	}
	return nil
}

// patient repeats what the kernel refuses while it is still letting go of something.
func patient(errno syscall.Errno, do func() error) (err error) {
	for range retries {
		if err = do(); !errors.Is(err, errno) {
			return err
		}
		time.Sleep(retryEvery)
	}
	return err
}

// Sockets are in the order of Options.Queues. They are valid until Close.
func (d *Device) Sockets() []*Socket { return slices.Clone(d.sockets) }

// Mode says what is in force, and why nothing better.
func (d *Device) Mode() Mode { return d.mode }

// Check asks the kernel whether all is as Open left it: nil, ErrDown, ErrGone, ErrDetached, ErrQueues, or ErrClosed. It is a few system calls, which
// wait while others change the configuration of any of the machine's networks: a loop that has heard nothing for a while has another goroutine call it.
func (d *Device) Check() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return ErrClosed
	}
	for _, s := range d.sockets {
		if err := s.Check(); err != nil {
			return err
		}
	}
	if d.program == nil {
		return nil
	}
	on, err := d.program.attached()
	if err == nil && !on {
		err = ErrDetached
	}
	if err == nil {
		err = d.recount()
	}
	return err
}

// recount looks whether our datagrams can come on queues that have no socket. Options that name queues mean these, and the kernel takes
// no queue away that has a socket.
func (d *Device) recount() error {
	if d.queues == nil {
		return nil
	}
	if n := d.queues.Count(); n != 0 && n != len(d.sockets) {
		return fmt.Errorf("%w: %d, and had %d", ErrQueues, n, len(d.sockets))
	}
	return nil
}

// SetPorts has datagrams to these ports come here, and no others. A device that was opened without ports has no program, and gets none. Sockets
// and what is under way are not touched.
func (d *Device) SetPorts(ports []uint16) error {
	o := d.options
	o.Ports = ports
	o, err := o.checked()
	if err == nil && (len(ports) == 0 || d.program == nil) {
		err = fmt.Errorf("%w: a device has ports from Open on, or never", ErrOptions)
	}
	if err != nil {
		return fmt.Errorf("xdp: %s: %w", d.options.Interface, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return ErrClosed
	}
	if err := d.program.replace(o.Ports); err != nil {
		return fmt.Errorf("xdp: %s: ports: %w", d.options.Interface, rights(err, 0))
	}
	d.options.Ports = o.Ports
	return nil
}

// Interface is the interface as Open found it: its Ethernet address and MTU.
func (d *Device) Interface() net.Interface { return *d.iface }

// Lost is how many datagrams the program has thrown away because of Options.Loss.
func (d *Device) Lost() (uint64, error) {
	if d.program == nil {
		return 0, nil
	}
	return d.program.injected()
}

// Close detaches the program, closes the sockets and unmaps the chunks. Nobody may use a socket, or a chunk of it, any more.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	var faults []error
	if d.program != nil {
		faults = append(faults, d.program.close())
	}
	faults = append(faults, d.closeSockets())
	if d.queues != nil {
		faults = append(faults, d.queues.Close())
	}
	if d.memory != nil {
		faults = append(faults, d.memory.Unmap())
	}
	return errors.Join(faults...)
}

func (d *Device) closeSockets() error {
	var faults []error
	for _, s := range d.sockets {
		faults = append(faults, s.xsk.Close())
	}
	d.sockets = nil
	return errors.Join(faults...)
}
