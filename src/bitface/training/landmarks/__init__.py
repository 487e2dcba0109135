"""What the training of landmark nets adds: which landmarks, whitened, changed as cameras and mirrors change them."""
