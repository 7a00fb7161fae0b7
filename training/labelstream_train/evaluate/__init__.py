"""How good a package is: figures with intervals, slices, robustness, calibration, bias, speed. No torch."""
