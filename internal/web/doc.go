// Package web is the dashboard of a node: pages of our own that a browser shows without asking anybody else for anything.
//
//	stats files ─ once a second ─ view.State ─┬─► /api/events, to whoever looks
//	                                          └─► ten minutes of latencies ─► /api/history
//
// Limits: 16 browsers are told of each second, the others ask; latencies of 64 hops are kept for 600 seconds; only GET and HEAD are answered,
// and only under addresses and as localhost.
package web
