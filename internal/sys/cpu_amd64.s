#include "textflag.h"

// func Pause()
TEXT ·Pause(SB), NOSPLIT, $0-0
	PAUSE
	RET

// func Ticks() uint64
TEXT ·Ticks(SB), NOSPLIT, $0-8
	RDTSC
	SHLQ $32, DX
	ORQ  DX, AX
	MOVQ AX, ret+0(FP)
	RET

// func StoreFence()
TEXT ·StoreFence(SB), NOSPLIT, $0-0
	MFENCE
	RET

// PREFETCHW disp32(AX); the assembler does not know it. CPUs without it take it as a NOP.
#define PREFETCHW(disp) BYTE $0x0F; BYTE $0x0D; BYTE $0x88; LONG $disp

// func prefetchWrite(p unsafe.Pointer)
TEXT ·prefetchWrite(SB), NOSPLIT, $0-8
	MOVQ p+0(FP), AX
	PREFETCHW(0)
	PREFETCHW(64)
	PREFETCHW(128)
	PREFETCHW(192)
	PREFETCHW(256)
	PREFETCHW(320)
	PREFETCHW(384)
	PREFETCHW(448)
	RET
