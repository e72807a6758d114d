"""The way in and out: presigned addresses, guarded connections, and where a job's files go."""
