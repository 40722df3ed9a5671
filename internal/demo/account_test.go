package demo

import (
	"slices"
	"testing"

	"github.com/alphapulse/transport/internal/sys"
)

func newAccount() *account { return &account{Mem: sys.Heap(accountSize)} }

// arrive feeds messages of one source and returns which of them were new.
func arrive(t *testing.T, a *account, source uint64, seqs ...uint64) (fresh []uint64) {
	t.Helper()
	for _, n := range seqs {
		l, err := a.lane(source, n)
		if err != nil {
			t.Fatal(err)
		}
		if a.see(l, n, 7) {
			a.done(l, n, 1000)
			fresh = append(fresh, n)
		}
	}
	return fresh
}

// reading is the account's tally, as a book's reader sees it.
func reading(a *account) (t tally) {
	for i := range maxRows {
		if r := a.row(i).read(); r.next != 0 {
			t.rows = append(t.rows, r)
		}
	}
	t.gaps, t.repeated = a.Load64(countGaps), a.Load64(countRepeated)
	t.reordered, t.corrupt = a.Load64(countReordered), a.Load64(countCorrupt)
	return t
}

func TestAccountTellsMissingLateAndRepeated(t *testing.T) {
	for _, c := range []struct {
		name  string
		seqs  []uint64
		fresh int
		want  Counts // Sent is what the numbers say
	}{
		{"in order", []uint64{1, 2, 3}, 3, Counts{Sent: 3, Delivered: 3}},
		{"a gap", []uint64{1, 2, 5}, 3, Counts{Sent: 5, Delivered: 3, Gaps: 2}},
		{"a late one fills its gap", []uint64{1, 3, 2, 4}, 4, Counts{Sent: 4, Delivered: 4, Reordered: 1}},
		{"a repeat is not delivered twice", []uint64{1, 2, 2, 1, 3}, 3, Counts{Sent: 3, Delivered: 3, Repeated: 2}},
		{"a jump beyond belief is a gap all the same", []uint64{1, 50_000, 50_001}, 3, Counts{Sent: 50_001, Delivered: 3, Gaps: 49_998}},
		{"the first number is where it begins", []uint64{9, 10}, 2, Counts{Sent: 2, Delivered: 2}},
	} {
		a := newAccount()
		fresh := arrive(t, a, 5, c.seqs...)
		r := reading(a)
		if got := r.since(&tally{}); got != c.want || len(fresh) != c.fresh {
			t.Errorf("%s: %+v, %d new", c.name, got, len(fresh))
		}
	}
}

func TestAccountKeepsSourcesApart(t *testing.T) {
	a := newAccount()
	arrive(t, a, 5, 1, 2)
	arrive(t, a, 6, 1, 3)
	arrive(t, a, 5, 3)
	r := reading(a)
	if got := r.since(&tally{}); got != (Counts{Sent: 6, Delivered: 5, Gaps: 1}) {
		t.Errorf("%+v", got)
	}
}

func TestAccountGoesOnAfterAKill(t *testing.T) {
	a := newAccount()
	arrive(t, a, 5, 1, 2, 3)
	base := reading(a)
	next := &account{Mem: a.Mem}
	next.load()
	fresh := arrive(t, next, 5, 2, 3, 4, 5) // 2 and 3 were done with and not released
	if !slices.Equal(fresh, []uint64{4, 5}) {
		t.Errorf("new: %v", fresh)
	}
	r := reading(next)
	if got := r.since(&base); got != (Counts{Sent: 2, Delivered: 2, Repeated: 2}) {
		t.Errorf("%+v", got)
	}
}

func TestAccountSettlesWhatAFormerLifeDid(t *testing.T) {
	a := newAccount()
	arrive(t, a, 5, 1, 2)
	if err := a.settle(5, 4); err != nil { // 3 and 4 were answered, and the book does not know
		t.Fatal(err)
	}
	if fresh := arrive(t, a, 5, 3, 4, 5); !slices.Equal(fresh, []uint64{5}) {
		t.Errorf("new: %v", fresh)
	}
	r := reading(a)
	if got := r.since(&tally{}); got != (Counts{Sent: 5, Delivered: 5, Repeated: 2}) {
		t.Errorf("%+v", got)
	}
}

func TestAccountCountsAnEpochThatGoesBack(t *testing.T) {
	a := newAccount()
	arrive(t, a, 5, 1)
	l, err := a.lane(5, 2)
	if err != nil {
		t.Fatal(err)
	}
	a.see(l, 2, 6)
	if r := reading(a); r.reordered != 1 {
		t.Errorf("%+v", r)
	}
}

func TestAccountRefusesMoreSourcesThanItHasRows(t *testing.T) {
	a := newAccount()
	for i := range maxRows {
		arrive(t, a, uint64(i+1), 1)
	}
	if _, err := a.lane(9999, 1); err != errRows {
		t.Error(err)
	}
}

func TestTallyCountsWhatTheSenderSaysAndNobodySaw(t *testing.T) {
	out := place{source: 5, first: 1, next: 11} // 1 to 10 were sent
	for _, c := range []struct {
		name       string
		seen       tally
		base       tally
		out, outAt place
		want       Counts
	}{
		{"all came", tally{rows: []place{{5, 1, 11}}}, tally{}, out, place{}, Counts{Sent: 10, Delivered: 10}},
		{"the last are missing", tally{rows: []place{{5, 1, 8}}}, tally{}, out, place{}, Counts{Sent: 10, Delivered: 7, Gaps: 3}},
		{"the first are missing", tally{rows: []place{{5, 4, 11}}}, tally{}, out, place{}, Counts{Sent: 10, Delivered: 7, Gaps: 3}},
		{"none came", tally{}, tally{}, out, place{}, Counts{Sent: 10, Gaps: 10}},
		{"an earlier run does not count", tally{rows: []place{{5, 1, 11}}}, tally{rows: []place{{5, 1, 5}}}, out, place{5, 1, 5},
			Counts{Sent: 6, Delivered: 6}},
		{"what an earlier run left counts", tally{rows: []place{{5, 1, 11}}}, tally{rows: []place{{5, 1, 3}}}, out, place{5, 1, 5},
			Counts{Sent: 8, Delivered: 8}},
		{"gaps inside", tally{gaps: 2, rows: []place{{5, 1, 11}}}, tally{}, out, place{}, Counts{Sent: 10, Delivered: 8, Gaps: 2}},
	} {
		if got := c.seen.against(&c.base, c.out, c.outAt); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
