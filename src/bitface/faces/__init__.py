"""The vocabulary of faces: emotions, people, samples, landmarks, quality. It knows no tool and imports no torch."""
