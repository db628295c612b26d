"""The learned half: encoder and features (numpy), network, calibration and export (training only)."""
