"""The lessons as pages that need neither a network nor a kernel: see ``tools/make_site.py``."""
