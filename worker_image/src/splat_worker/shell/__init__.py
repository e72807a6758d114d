"""What only a run from a shell needs: files of a folder, signals, words for a person."""
