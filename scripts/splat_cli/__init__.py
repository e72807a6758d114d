"""The operator's command line. Scenes go through the edge API, never directly to a bucket or to RunPod."""
