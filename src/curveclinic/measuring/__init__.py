"""What is measured on curves: levels, noise, jumps, periods, gradients. Numbers only, no opinions."""
