package trust_test

import (
	"errors"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/netio/trust/trusttest"
)

// TestFilesAreReplacedUnderLiveConnections turns a fleet of two to a new authority, step by step as an operator would (F19). Bytes flow all
// the time over a connection from before; new handshakes go by the files of their instant.
func TestFilesAreReplacedUnderLiveConnections(t *testing.T) {
	old, young := trusttest.Authority(t), trusttest.Authority(t)
	serverFiles, clientFiles := trusttest.Options(t, old, "server"), trusttest.Options(t, old, "client")
	server, left := trusttest.Open(t, serverFiles), trusttest.Open(t, clientFiles)
	config, dial := server.Server(protocol), client(t, left) // made once: they shall follow the files
	began := time.Now()
	first, atServer, atClient := shake(t, config, dial)
	must(t, atServer)
	must(t, atClient)
	cs := first.accepted.ConnectionState()

	steps := []struct {
		name    string
		do      func()
		believe error
	}{
		{"both believe both", func() {
			trusttest.Believe(t, serverFiles, old, young)
			trusttest.Believe(t, clientFiles, old, young)
		}, nil},
		{"the server is certified anew", func() {
			trusttest.Renew(t, serverFiles, young, trust.Life{Until: time.Now().Add(time.Hour)}, "server")
		}, nil},
		{"the client's authority is removed", func() { trusttest.Believe(t, serverFiles, young) }, &trust.Refusal{Reason: trust.UnknownAuthority}},
		{"the client is certified anew", func() {
			trusttest.Renew(t, clientFiles, young, trust.Life{Until: time.Now().Add(time.Hour)}, "client")
		}, nil},
	}
	for _, s := range steps {
		s.do()
		must(t, server.Reload())
		must(t, left.Reload())
		first.echo(t)
		e, atServer, atClient := shake(t, config, dial)
		switch {
		case s.believe == nil && (atServer != nil || atClient != nil):
			t.Fatalf("%s: %v, %v", s.name, atServer, atClient)
		case s.believe != nil && reason(t, server.Refused(atServer)) != trust.UnknownAuthority:
			t.Fatalf("%s: %v", s.name, atServer)
		case s.believe == nil && server.Stats().Generation > 2 && leaf(e.dialled).Equal(leaf(first.dialled)):
			t.Fatalf("%s: the certificate of before is shown", s.name)
		}
		if err := server.Verify(&cs, began); (err != nil) != (server.Stats().Generation >= 4) {
			t.Fatalf("%s: the connection that stands: %v", s.name, err)
		}
	}
	if s := server.Stats(); s.Generation != 4 || s.Reloads != 3 || s.Failed != 0 || s.Authorities != 1 {
		t.Errorf("%+v", s)
	}
}

// TestHandshakesAndReloadsRunTogether reloads as fast as it can while peers shake hands.
func TestHandshakesAndReloadsRunTogether(t *testing.T) {
	a := trusttest.Authority(t)
	files := trusttest.Options(t, a, "server")
	server, peer := trusttest.Open(t, files), trusttest.Identity(t, a, "client")
	stop := make(chan struct{})
	var turning sync.WaitGroup
	turning.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			trusttest.Renew(t, files, a, trust.Life{Until: time.Now().Add(time.Hour)}, "server")
			if err := server.Reload(); err != nil {
				t.Error(err)
			}
		}
	})
	config, dial := server.Server(protocol), client(t, peer)
	for range 50 {
		e, atServer, atClient := shake(t, config, dial)
		if atServer != nil || atClient != nil {
			t.Error(atServer, atClient)
			break
		}
		e.echo(t)
	}
	close(stop)
	turning.Wait()
}

// watched is an identity that looks every second of a test's own time, and what it told.
func watched(t *testing.T, a *trust.Authority, life trust.Life) (trust.Options, *trust.Identity, func() []trust.Event) {
	o := trusttest.Options(t, a, "node-a")
	trusttest.Renew(t, o, a, life, "node-a")
	var mu sync.Mutex
	var told []trust.Event
	o.Poll, o.Events = time.Second, func(e trust.Event) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, e)
	}
	i := trusttest.Open(t, o)
	return o, i, func() []trust.Event {
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		all := told
		told = nil
		return all
	}
}

func TestNewFilesAreTakenByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := trusttest.Authority(t)
		hour := trust.Life{Until: time.Now().Add(time.Hour)}
		o, i, told := watched(t, a, hour)
		if all := told(); len(all) != 0 {
			t.Fatal("told without a change:", all)
		}
		trusttest.Renew(t, o, a, trust.Life{Until: time.Now().Add(2 * time.Hour)}, "node-b")
		if all := told(); len(all) != 1 || all[0].Kind != trust.Reloaded || time.Until(all[0].NotAfter) < time.Hour {
			t.Fatal(all)
		}
		if s := i.Stats(); s.Names[0] != "node-b" || s.Generation != 2 || s.Reloads != 1 {
			t.Errorf("%+v", s)
		}
		now := time.Now()
		must(t, os.Chtimes(o.CA, now, now))
		if all := told(); len(all) != 0 || i.Generation() != 2 {
			t.Error("a file that was only touched counts as new:", all)
		}
	})
}

// TestBadFilesAreToldOnceAndTheOldOnesStay, and the instant between the replacements of a certificate and its key is not told at all.
func TestBadFilesAreToldOnceAndTheOldOnesStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := trusttest.Authority(t)
		hour := trust.Life{Until: time.Now().Add(time.Hour)}
		o, i, told := watched(t, a, hour)
		p, err := a.Issue([]string{"node-b"}, hour)
		must(t, err)
		trusttest.Replace(t, o.Cert, p.Cert, 0o644) // its key comes after the next look
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		trusttest.Replace(t, o.Key, p.Key, 0o600)
		if all := told(); len(all) != 1 || all[0].Kind != trust.Reloaded {
			t.Fatal(all)
		}
		trusttest.Replace(t, o.CA, []byte("rubbish"), 0o644)
		var all []trust.Event
		for range 10 {
			all = append(all, told()...)
		}
		if len(all) != 1 || all[0].Kind != trust.Trouble || !errors.Is(all[0].Err, trust.ErrFiles) {
			t.Fatal(all)
		}
		if s := i.Stats(); s.Names[0] != "node-b" || s.Generation != 2 || s.Failed != 1 || s.Authorities != 1 {
			t.Errorf("%+v", s)
		}
		if err := i.Reload(); !errors.Is(err, trust.ErrFiles) {
			t.Error("asked for, it is told again:", err)
		}
		trusttest.Believe(t, o, a, trusttest.Authority(t))
		if all := told(); len(all) != 2 || all[1].Kind != trust.Reloaded { // Reload told, too
			t.Fatal(all)
		}
	})
}

func TestACertificateNearItsEndIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := trusttest.Authority(t)
		_, i, told := watched(t, a, trust.Life{From: time.Now(), Until: time.Now().Add(100 * time.Second)})
		var all []trust.Event
		for range 59 { // 88.5 s
			all = append(all, told()...)
		}
		if len(all) != 0 {
			t.Fatal("told too early:", all)
		}
		for range 20 {
			all = append(all, told()...)
		}
		if len(all) != 1 || all[0].Kind != trust.Expiring || !all[0].NotAfter.Equal(i.Stats().NotAfter) {
			t.Fatal(all)
		}
	})
}

// TestAnotherSetOfFilesAndNamesIsTaken: handshakes go by what was changed to, files that do not hold together change nothing, and the new ones
// are looked at from then on.
func TestAnotherSetOfFilesAndNamesIsTaken(t *testing.T) {
	old, young := trusttest.Authority(t), trusttest.Authority(t)
	first := trusttest.Options(t, old, "server")
	first.Allow = []string{"client"}
	server := trusttest.Open(t, first)
	config := server.Server(protocol)
	told := func(a *trust.Authority, name string) error {
		files := trusttest.Options(t, a, name)
		trusttest.Believe(t, files, old, young)
		_, atServer, _ := shake(t, config, client(t, trusttest.Open(t, files)))
		return server.Refused(atServer)
	}
	more := first
	more.Allow = []string{"client", "other"}
	if err := told(old, "other"); reason(t, err) != trust.NameNotAllowed {
		t.Fatal(err)
	}
	must(t, server.Change(more))
	must(t, told(old, "other"))
	second := trusttest.Options(t, young, "server")
	second.Allow = []string{"client"}
	for want, bad := range map[error]trust.Options{
		trust.ErrFiles:   {Cert: second.Cert, Key: first.Key, CA: second.CA, Allow: second.Allow},
		trust.ErrOptions: {Cert: second.Cert, Key: second.Key, CA: second.CA},
	} {
		if err := server.Change(bad); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		must(t, told(old, "other"))
	}
	must(t, server.Change(second))
	if err := told(old, "client"); reason(t, err) != trust.UnknownAuthority {
		t.Error(err)
	}
	if err := told(young, "other"); reason(t, err) != trust.NameNotAllowed {
		t.Error(err)
	}
	trusttest.Believe(t, second, old, young)
	must(t, server.Reload())
	if s := server.Stats(); s.Generation != 4 || s.Authorities != 2 {
		t.Errorf("%+v", s)
	}
}
