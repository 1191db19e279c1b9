"""A real virtual machine, small enough for tests: Debian's kernel and cloud-init under QEMU."""
