"""Tests that people make by hand before or beside a training."""
