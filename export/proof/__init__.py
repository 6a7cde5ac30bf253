"""Proof outside of Python: a bundle's ExecuTorch programs run by a small C++ program, here and with a phone's Arm kernels."""
