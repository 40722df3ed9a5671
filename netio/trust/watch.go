package trust

import "time"

// watch looks at the files every Poll until Close.
func (i *Identity) watch() {
	tick := time.NewTicker(i.options.Poll)
	defer tick.Stop()
	for {
		select {
		case <-i.stop:
			return
		case <-tick.C:
			i.look()
		}
	}
}

// look takes files that changed. Certificate and key are two files, so between their replacements they do not fit: what is refused is
// looked at once more before it is told.
func (i *Identity) look() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.nearEnd()
	stamps := i.options.look()
	again := stamps.same(&i.tried)
	if again && !i.doubt {
		return
	}
	err := i.take()
	if err == nil {
		return
	}
	i.doubt = !again
	if again {
		i.fail(err)
	}
}

// Reload looks at the files at once. What it answers is told, too; then what was loaded before stays.
func (i *Identity) Reload() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	err := i.take()
	if err != nil {
		i.doubt = false
		i.fail(err)
	}
	return err
}

// Change has other files, and other names, count from the next handshake on; only Cert, Key, CA and Allow of o are heeded. What is no good is
// answered, ErrOptions or ErrFiles, and then nothing changes.
func (i *Identity) Change(o Options) error {
	o, allow, err := o.checked()
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	next, err := o.load(time.Now())
	if err != nil {
		return err
	}
	next.generation, next.allow, next.names = i.now.Load().generation+1, allow, o.Allow
	i.options.Cert, i.options.Key, i.options.CA, i.options.Allow = o.Cert, o.Key, o.CA, o.Allow
	i.tried, i.doubt, i.expiring = next.stamps, false, false
	i.now.Store(next)
	i.reloads.Add(1)
	i.tell(Event{Kind: Reloaded})
	return nil
}

// take loads the files and uses them, or says why not.
func (i *Identity) take() error {
	i.tried = i.options.look()
	next, err := i.options.load(time.Now())
	if err != nil {
		return err
	}
	before := i.now.Load()
	next.generation, next.allow, next.names = before.generation+1, before.allow, before.names
	i.tried, i.doubt = next.stamps, false
	if next.cert.Leaf.Equal(before.cert.Leaf) && next.roots.Equal(before.roots) {
		return nil // touched, or written again as it was
	}
	i.now.Store(next)
	i.reloads.Add(1)
	i.expiring = false
	i.tell(Event{Kind: Reloaded})
	return nil
}

func (i *Identity) fail(err error) {
	i.failed.Add(1)
	i.tell(Event{Kind: Trouble, Err: err})
}

// nearEnd tells once that a certificate wants to be renewed.
func (i *Identity) nearEnd() {
	leaf := i.now.Load().cert.Leaf
	if i.expiring || time.Until(leaf.NotAfter) > leaf.NotAfter.Sub(leaf.NotBefore)/10 {
		return
	}
	i.expiring = true
	i.tell(Event{Kind: Expiring})
}

func (i *Identity) tell(e Event) {
	e.NotAfter = i.now.Load().cert.Leaf.NotAfter
	if i.options.Events != nil {
		i.options.Events(e)
	}
}
