"""What only numba can use: imported while kernels are compiled, and never before."""
