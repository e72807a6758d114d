"""Downloads and uploads by presigned URL, guarded connections, and where a job's files go."""
