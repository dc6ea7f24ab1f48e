"""zonesim: how many game zones a machine holds, measured with real processes."""
