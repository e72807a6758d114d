"""Set-up and operation: bootstrap, the pinned engine, the splat command."""
