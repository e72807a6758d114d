//go:build tools

// Package lint pins actionlint, which reads the workflows as GitHub does.
package lint

import (
	_ "github.com/rhysd/actionlint/cmd/actionlint"
)
