"""Before people come in: drafts of the files that an import reads, and what the gate could decide with the people in them."""
