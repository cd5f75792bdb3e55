//go:build ignore

// build.sh adds this file to Argo's package executor: since 0.34, labels of Kubernetes have the function Lookup.
package executor

func (g gjsonLabels) Lookup(label string) (string, bool) { return g.Get(label), g.Has(label) }
