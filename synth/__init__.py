"""Synthetic training curves with labels measured on what can be seen."""

from __future__ import annotations

from curveclinic.synth.generate import Sample, generate

__all__ = ["Sample", "generate"]
