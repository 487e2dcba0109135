"""What a reviewer and a catalogue are shown of a run: its page, its figures by name."""
