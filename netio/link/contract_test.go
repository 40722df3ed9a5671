package link

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func contract(name string) Contract {
	return Contract{Name: name, Sends: true, Takes: true, Largest: 1000, Domain: "market", Codecs: []string{"lz4"}}
}

func TestCompareNamesEveryFieldThatDiffers(t *testing.T) {
	sender, taker := contract("ticks"), contract("ticks")
	sender.Takes, taker.Sends = false, false
	for _, c := range []struct {
		name   string
		change func(mine, theirs *Contract)
		fields []string
	}{
		{"nothing", func(_, _ *Contract) {}, nil},
		{"name", func(m, _ *Contract) { m.Name = "orders" }, []string{"name"}},
		{"both send", func(m, th *Contract) { th.Sends, th.Takes = true, false }, []string{"direction"}},
		{"both take", func(m, th *Contract) { m.Sends, m.Takes = false, true }, []string{"direction"}},
		{"one does both", func(m, th *Contract) { m.Takes = true }, nil},
		{"reliability", func(m, _ *Contract) { m.Reliability = BestEffort }, []string{"reliability"}},
		{"larger than taken", func(m, _ *Contract) { m.Largest++ }, []string{"largest"}},
		{"smaller than taken", func(m, _ *Contract) { m.Largest-- }, nil},
		{"domain", func(_, th *Contract) { th.Domain = "" }, []string{"domain"}},
		{"packed and not opened", func(m, _ *Contract) { m.Codecs = append(m.Codecs, "zstd") }, []string{"codecs"}},
		{"opened and not packed", func(m, _ *Contract) { m.Codecs = nil }, nil},
		{"repeats", func(m, _ *Contract) { m.Repeats = true }, []string{"repeats"}},
		{"several", func(m, th *Contract) { m.Reliability, th.Domain, m.Largest = BestEffort, "orders", 5000 }, []string{"reliability", "largest", "domain"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			mine, theirs := sender, taker
			mine.Codecs = slices.Clone(mine.Codecs)
			c.change(&mine, &theirs)
			for _, turned := range []bool{false, true} {
				a, b := mine, theirs
				if turned {
					a, b = theirs, mine
				}
				var fields []string
				for _, d := range Compare(a, b) {
					fields = append(fields, d.Field)
					if d.Mine == d.Theirs && d.Field != "direction" || d.Mine == "" || d.Theirs == "" {
						t.Errorf("%s does not show what differs", d)
					}
				}
				if !slices.Equal(fields, c.fields) {
					t.Errorf("turned %v: %v differ, want %v", turned, fields, c.fields)
				}
			}
		})
	}
}

func TestGreetingIsWhatArrives(t *testing.T) {
	g := Greeting{Node: "ldn1", Start: 77, Channels: []Contract{contract("ticks"), contract("orders")}}
	b, err := AppendGreeting([]byte("before"), g)
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, "after"...)[6:]
	for n := range len(b) - 5 {
		if _, used, err := ParseGreeting(b[:n]); used != 0 || err != nil {
			t.Fatalf("%d bytes: %d used, %v", n, used, err)
		}
	}
	got, used, err := ParseGreeting(b)
	if err != nil || string(b[used:]) != "after" || fmt.Sprint(got) != fmt.Sprint(g) {
		t.Fatalf("%+v, %q left, %v", got, b[used:], err)
	}
	if c, ok := got.Contract("orders"); !ok || c.Name != "orders" {
		t.Error("a channel is not found")
	}
	if _, ok := got.Contract("none"); ok {
		t.Error("a channel is found that is not there")
	}
}

func TestGreetingOfALaterNodeIsUnderstood(t *testing.T) {
	body := `{"node":"n","start":1,"later":[1],"channels":[{"name":"c","takes":true,"reliability":"reliable","largest":9,"later":{}}]}`
	head := []byte(greetingMagic + "\x01\x00\xff\xff")
	b := append(append(head, byte(len(body)), 0, 0, 0), body...)
	g, n, err := ParseGreeting(b)
	if err != nil || n != len(b) || len(g.Channels) != 1 {
		t.Fatal(g, n, err)
	}
}

func TestGreetingIsRefusedWithItsReason(t *testing.T) {
	whole := func(body string) string {
		return greetingMagic + "\x01\x00\x00\x00" + string([]byte{byte(len(body)), byte(len(body) >> 8), 0, 0}) + body
	}
	long := strings.Repeat("x", maxName+1)
	for _, c := range []struct{ bytes, say string }{
		{"GET / HTTP/1.1\r\n", "no node"},
		{"\x16\x03\x01", "TLS"},
		{"\x00pulse\n", "no node"},
		{greetingMagic + "\x02\x00\x00\x00\x00\x00\x00\x00", "version 2"},
		{greetingMagic + "\x01\x00\x00\x00\x01\x00\x01\x00", "65537 bytes"},
		{whole("{"), "JSON"},
		{whole(`{"node":"n","channels":[{"name":"c","takes":true,"reliability":"mostly","largest":9}]}`), "mostly"},
		{whole(`{"node":"","channels":[]}`), "node"},
		{whole(`{"node":"` + long + `"}`), "40 bytes"},
		{whole(`{"node":"a\nb"}`), "control"},
		{whole(`{"node":"n","channels":[{"name":"c","reliability":"reliable","largest":9}]}`), "neither sends nor takes"},
		{whole(`{"node":"n","channels":[{"name":"c","takes":true,"reliability":"reliable","largest":0}]}`), "0 bytes"},
		{whole(`{"node":"n","channels":[{"name":"c","takes":true,"reliability":"reliable","largest":1},{"name":"c","takes":true,"reliability":"reliable","largest":1}]}`), "one number"},
	} {
		_, n, err := ParseGreeting([]byte(c.bytes))
		if n != 0 || !errors.Is(err, ErrGreeting) || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%.40q: %d, %v; want %q in it", c.bytes, n, err, c.say)
		}
	}
}

func TestContractsThatCannotBeKeptAreNotSent(t *testing.T) {
	many := make([]Contract, MaxChannels+1)
	for i := range many {
		many[i] = contract(fmt.Sprint("c", i))
	}
	for _, g := range []Greeting{
		{},
		{Node: "n", Channels: []Contract{{}}},
		{Node: "n", Channels: many},
		{Node: "n", Channels: many[:MaxChannels]}, // more than 64 KiB
	} {
		if _, err := AppendGreeting(nil, g); !errors.Is(err, ErrContract) {
			t.Errorf("%d channels: %v", len(g.Channels), err)
		}
	}
}
