"""`splat logs`: what workers printed and what the app recorded, merged by time, with secrets masked."""
