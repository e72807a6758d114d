//go:build tools

// Package engine pins Pulumi's Python language host (the last module version
// that still holds it; see docs/decisions/0002-engine-from-modules.md).
package engine

import (
	_ "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"
)
