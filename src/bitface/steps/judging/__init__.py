"""What is measured of a finished model on people who trained nothing: accuracy, maps, drift, changed faces, real people."""
