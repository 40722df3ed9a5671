// Package view makes what people look at out of what stats files say: channels with their rates, lags, losses and latencies, ways with their
// breakers, processes, health. The dashboard and the terminal's view draw the same State.
//
//	stats files ─ watch.ReadDir ─ State (with the one before, for rates) ─► draw
//
// Limits: what it holds is what the stats files of one node hold.
package view
