"""Photos at the door: what each file is, whether it can be used, and one clean copy of it."""
