"""What the process has loaded that others are forked from; none of them looks for garbage in it."""

import gc

import shop.cli
import shop.demo
import shop.doctor
import shop.running
import shop.serving  # noqa: F401

gc.collect()
gc.freeze()
