"""What `scratchgen bench` measures: the machine, the kernels, and training beside other tools."""
