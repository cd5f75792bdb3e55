// Decodes an Experiment strictly with Katib's own types: go run . FILE prints what it has.
package main

import (
	"fmt"
	"os"

	v1beta1 "github.com/kubeflow/katib/pkg/apis/controller/experiments/v1beta1"
	"sigs.k8s.io/yaml"
)

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	var experiment v1beta1.Experiment
	if err := yaml.UnmarshalStrict(text, &experiment); err != nil {
		fmt.Println("FAILED:", err)
		os.Exit(1)
	}
	for _, p := range experiment.Spec.Parameters {
		fmt.Println(p.Name, p.ParameterType, p.FeasibleSpace)
	}
	fmt.Println("objective:", experiment.Spec.Objective.Type, "algorithm:", experiment.Spec.Algorithm.AlgorithmName)
}
