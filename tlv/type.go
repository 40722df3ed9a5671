package tlv

// SizeRule is what the registry says about the payload size of a type, in bytes. The zero rule allows every size.
type SizeRule struct {
	Min, Max int
	Fixed    bool // Min is the size; a Parser refuses others
	Also     int  // a second size accepted where registry and struct disagree, 0 if none
}

// String is the registry's name of the type, "vendor_N" for 200–254 without a name, else "type_N".
func (t Type) String() string {
	if name := registry[t].name; name != "" {
		return name
	}
	if t >= 200 {
		return unnamed("vendor", int(t))
	}
	return unnamed("type", int(t))
}

// Known reports whether the registry names t.
func (t Type) Known() bool { return registry[t].name != "" }

// Size is the registry's rule for t in dialect d. A Parser enforces fixed sizes in standard and extended form (the
// original forgets the extended one) and leaves bounded ones alone: the original's own pool structs exceed them.
//
// Two sizes pass where the original contradicts itself:
//   - Quote, aligned: 52 in the registry, 56 in the struct (four bytes of padding at the end; both are readable).
//   - ArbitrageSignal, aligned: 170, or 168 in the first registry (opaque: the timestamp is cut).
//   - SystemHealth, packed: 48 in the registry (opaque), 44 in the struct.
//   - RecoveryRequest, packed: 18 in the registry (opaque), 24 in the struct.
func (t Type) Size(d Dialect) SizeRule {
	if d == Packed {
		return registry[t].size[1]
	}
	return registry[t].size[0]
}

// Domain is the relay domain whose range holds t, 0 for unassigned and vendor types.
// Portfolio and risk types (60–79) belong to signal; compliance and recovery to system. A RecoveryRequest nevertheless
// travels under the domain of the stream that has the gap.
func (t Type) Domain() Domain {
	switch {
	case t == 0 || t >= 120:
		return 0
	case t < 20:
		return MarketData
	case t < 40:
		return Signal
	case t < 60:
		return Execution
	case t < 80:
		return Signal
	}
	return System
}

// fixedSizes is the walk's table: two allowed sizes per dialect and type, or none (both zero).
var fixedSizes = func() (sizes [2][256][2]uint16) {
	for t := range registry {
		for d, rule := range registry[t].size {
			if rule.Fixed {
				also := rule.Also
				if also == 0 {
					also = rule.Min
				}
				sizes[d][t] = [2]uint16{uint16(rule.Min), uint16(also)}
			}
		}
	}
	return sizes
}()
