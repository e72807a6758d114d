"""`splat doctor`: checks a deployed stack from the ground up. observe/ reads, judge/ decides."""
