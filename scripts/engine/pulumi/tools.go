//go:build tools

// Package engine pins the Pulumi command line that scripts/bootstrap builds
// where the official installer cannot be reached.
package engine

import (
	_ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
)
