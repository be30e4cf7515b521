"""Emulated devices that speak the real wire protocol, so that the vendor's own drivers can be tested without hardware.

`cyton` and `ganglion` on pseudo-terminals (Linux, macOS), `wifi` on loopback. Each is a context manager whose thread
streams until the block ends, and a command: `bcikit emulate cyton --file RECORDING`.
"""
