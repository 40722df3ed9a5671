package sys

// Device is what the kernel tells of a network interface, beyond what package net knows.
type Device struct {
	Queues  int    // receive queues that are in use; 1 where the driver does not say
	Driver  string // "" where it does not say
	Foreign uint32 // the XDP program that is attached, by its number; 0 if none is
	Generic bool   // it is attached to the common receive path, not to the driver
}

// DeviceFeatures is what an interface's driver says of XDP (netdev family of generic netlink, since Linux 6.3).
type DeviceFeatures struct {
	Basic, Redirect, Transmit, ZeroCopy, Segments bool
	ZeroCopySegments                              int  // chunks of one packet without copying; 0 before Linux 6.6
	Checksums                                     bool // it fills in those of packets that are sent without copying, since Linux 6.8
}
