package sys

import "testing"

// Each benchmark moves datagrams of 64 bytes over loopback on one thread: what a system call costs with everything below it.

func benchmarkRecv(b *testing.B, o UDPOptions, recv func(*UDP, *RecvBatch) (int, error)) {
	to, from := udpPair(b, loop4, o)
	in, p := recvBatch(b, 64, 2048), make([]byte, 64)
	for b.Loop() {
		if err := from.SendOne(p); err != nil {
			b.Fatal(err)
		}
		if n, err := recv(to, in); n != 1 || err != nil {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkSendOneRecv(b *testing.B) { benchmarkRecv(b, UDPOptions{}, (*UDP).Recv) }

func BenchmarkSendOneRecvOne(b *testing.B) { benchmarkRecv(b, UDPOptions{}, (*UDP).RecvOne) }

func BenchmarkSendOneRecvOneWithGRO(b *testing.B) {
	benchmarkRecv(b, UDPOptions{GRO: true}, (*UDP).RecvOne)
}

func benchmarkEmpty(b *testing.B, recv func(*UDP, *RecvBatch) (int, error)) {
	u, in := openUDP(b, UDPOptions{Bind: loop4}), recvBatch(b, 64, 2048)
	for b.Loop() {
		if n, err := recv(u, in); n != 0 || err != nil {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkRecvNothing(b *testing.B) { benchmarkEmpty(b, (*UDP).Recv) }

func BenchmarkRecvOneNothing(b *testing.B) { benchmarkEmpty(b, (*UDP).RecvOne) }

// BenchmarkSegmentsOf64 reports the cost of one datagram of 128 in a send.
func BenchmarkSegmentsOf64(b *testing.B) {
	to, from := udpPair(b, loop4, UDPOptions{GRO: true, RecvBuffer: 4 << 20})
	most := needSegments(b, from)
	in, out, mem := recvBatch(b, 4, 1<<16), sendBatch(b, 1, 128), slab(b, 64*128*2, 1)
	datagrams := 0
	for b.Loop() {
		out.Reset()
		out.Begin(nil, 64)
		for i := range most {
			out.Add(mem[i*128 : i*128+64])
		}
		if _, err := from.Send(out); err != nil {
			b.Fatal(err)
		}
		n, err := to.Recv(in)
		if err != nil {
			b.Fatal(err)
		}
		for i := range n {
			data, segment := in.Message(i)
			datagrams += len(data) / segment
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(datagrams), "ns/datagram")
}

func BenchmarkBatchBeginAdd(b *testing.B) {
	out, mem := sendBatch(b, 64, 64), slab(b, 128, 1)
	for b.Loop() {
		if !out.Begin(nil, 64) {
			out.Reset()
			out.Begin(nil, 64)
		}
		out.Add(mem[:64])
	}
}
