"""The operator's command line. Talks to the edge API; never to a bucket or RunPod directly."""
