"""What the workflows in .github do, as programs that run anywhere: plan text, review stacks, drift, deployment.
The YAML only calls these; nothing here knows GitHub."""
