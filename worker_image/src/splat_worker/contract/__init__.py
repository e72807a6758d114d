"""What crosses a border: the job's input, its report and its failure as types, and their published schemas."""
