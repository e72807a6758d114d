"""`splat backup` and `splat restore`: the rows of the app and the state of the stack, in one file."""
