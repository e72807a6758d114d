"""What the observed facts mean. Pure: no network, no clock."""
