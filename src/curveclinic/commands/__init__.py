"""What the `curveclinic` command does: one function a sub-command."""
