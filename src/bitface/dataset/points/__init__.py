"""Tables of points of faces: which columns are points, what is wrong with a row, which frames are one sample, and how it is stored."""
