package manifests_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	podsecurity "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const kubernetes = "../../deploy/kubernetes/"

// objects renders a kustomization and decodes what comes out by the API's own types: an unknown or repeated field or a
// value of a wrong type fails.
func objects(t *testing.T, kustomization string) map[string]runtime.Object {
	t.Helper()
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), kubernetes+kustomization)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]runtime.Object{}
	for _, r := range rendered.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		if r.GetKind() != "Namespace" && r.GetNamespace() != "ganeti-cache-updater" {
			t.Errorf("%s %s is in namespace %q", r.GetKind(), r.GetName(), r.GetNamespace())
		}
		found[r.GetKind()] = decode(t, text)
	}
	return found
}

func decode(t *testing.T, text []byte) runtime.Object {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, batchv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	o, _, err := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer().Decode(text, nil, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return o
}

func get[T runtime.Object](t *testing.T, found map[string]runtime.Object, kind string) T {
	t.Helper()
	o, ok := found[kind].(T)
	if !ok {
		t.Fatalf("there is no %s", kind)
	}
	return o
}

func TestKubernetes_UnknownFieldsFail(t *testing.T) {
	for _, text := range []string{
		"apiVersion: v1\nkind: Namespace\nmetadata: {nmae: x}\n",
		"apiVersion: policy/v1\nkind: PodDisruptionBudget\nspec: {minAvailable: [1]}\n",
	} {
		scheme := runtime.NewScheme()
		if err := policyv1.AddToScheme(scheme); err != nil {
			t.Fatal(err)
		}
		if err := corev1.AddToScheme(scheme); err != nil {
			t.Fatal(err)
		}
		if _, _, err := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer().Decode([]byte(text), nil, nil); err == nil {
			t.Errorf("taken: %s", text)
		}
	}
}

func TestKubernetes_Daemon(t *testing.T) {
	found := objects(t, "daemon")
	d := get[*appsv1.Deployment](t, found, "Deployment")
	pod := d.Spec.Template
	if *d.Spec.Replicas != 2 {
		t.Errorf("%d replicas", *d.Spec.Replicas)
	}
	checkPod(t, found, pod)
	selects(t, "Deployment", d.Spec.Selector.MatchLabels, pod.Labels)
	selects(t, "PodDisruptionBudget", get[*policyv1.PodDisruptionBudget](t, found, "PodDisruptionBudget").Spec.Selector.MatchLabels, pod.Labels)
	selects(t, "Service", get[*corev1.Service](t, found, "Service").Spec.Selector, pod.Labels)
	c := pod.Spec.Containers[0]
	for what, probe := range map[string]struct {
		*corev1.Probe
		path string
	}{"startup": {c.StartupProbe, "/healthz"}, "liveness": {c.LivenessProbe, "/healthz"}, "readiness": {c.ReadinessProbe, "/readyz"}} {
		if probe.Probe == nil || probe.HTTPGet.Path != probe.path || probe.HTTPGet.Port.String() != c.Ports[0].Name {
			t.Errorf("the %s probe asks %+v", what, probe.Probe)
		}
	}
}

func TestKubernetes_OneShot(t *testing.T) {
	found := objects(t, "oneshot")
	cron := get[*batchv1.CronJob](t, found, "CronJob").Spec
	job := cron.JobTemplate.Spec
	if cron.ConcurrencyPolicy != batchv1.ForbidConcurrent {
		t.Errorf("concurrencyPolicy %s", cron.ConcurrencyPolicy)
	}
	if job.Template.Spec.RestartPolicy != corev1.RestartPolicyNever {
		t.Errorf("podFailurePolicy does not go with restartPolicy %s", job.Template.Spec.RestartPolicy)
	}
	checkPod(t, found, job.Template)
	action := map[int32]batchv1.PodFailurePolicyAction{}
	for _, r := range job.PodFailurePolicy.Rules {
		if r.OnExitCodes == nil {
			continue
		}
		if *r.OnExitCodes.ContainerName != job.Template.Spec.Containers[0].Name || r.OnExitCodes.Operator != batchv1.PodFailurePolicyOnExitCodesOpIn {
			t.Errorf("the rule for exit codes %v concerns another container, or not them", r.OnExitCodes.Values)
		}
		for _, code := range r.OnExitCodes.Values {
			action[code] = r.Action
		}
	}
	if len(action) != 2 || action[2] != batchv1.PodFailurePolicyActionFailJob || action[3] != batchv1.PodFailurePolicyActionFailJob {
		t.Errorf("exit codes lead to %v", action)
	}
}

// checkPod holds a pod against the level "restricted" of the Pod Security Standards, and its references against what is there.
func checkPod(t *testing.T, found map[string]runtime.Object, pod corev1.PodTemplateSpec) {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}
	if r := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec)); !r.Allowed {
		t.Errorf("not restricted: %s", r.ForbiddenDetail())
	}
	c := pod.Spec.Containers[0]
	if c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
		t.Error("the root file system can be written to")
	}
	if pod.Spec.ServiceAccountName != get[*corev1.ServiceAccount](t, found, "ServiceAccount").Name {
		t.Errorf("there is no service account %s", pod.Spec.ServiceAccountName)
	}
	selects(t, "NetworkPolicy", get[*networkingv1.NetworkPolicy](t, found, "NetworkPolicy").Spec.PodSelector.MatchLabels, pod.Labels)
	secret := exampleSecret(t)
	for _, v := range pod.Spec.Volumes {
		switch {
		case v.ConfigMap != nil && v.ConfigMap.Name != get[*corev1.ConfigMap](t, found, "ConfigMap").Name:
			t.Errorf("there is no ConfigMap %s", v.ConfigMap.Name)
		case v.Secret != nil && v.Secret.SecretName != secret.Name:
			t.Errorf("there is no Secret %s", v.Secret.SecretName)
		}
	}
	for _, e := range c.Env {
		if r := e.ValueFrom.SecretKeyRef; secret.StringData[r.Key] == "" || r.Name != secret.Name {
			t.Errorf("the Secret %s has no %s", r.Name, r.Key)
		}
	}
}

func exampleSecret(t *testing.T) *corev1.Secret {
	t.Helper()
	text, err := os.ReadFile(kubernetes + "secret.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return get[*corev1.Secret](t, map[string]runtime.Object{"Secret": decode(t, text)}, "Secret")
}

func selects(t *testing.T, kind string, selector, labels map[string]string) {
	t.Helper()
	if len(selector) == 0 {
		t.Errorf("%s selects everything", kind)
	}
	for k, v := range selector {
		if labels[k] != v {
			t.Errorf("%s selects %s=%s, the pod has %q", kind, k, v, labels[k])
		}
	}
}

// TestKubernetes_Config: the updater understands the configuration, and finds its files in the Secret.
func TestKubernetes_Config(t *testing.T) {
	text := get[*corev1.ConfigMap](t, objects(t, "daemon"), "ConfigMap").Data["config.yaml"]
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	understood(t, file)
	for key := range exampleSecret(t).StringData {
		if key != "pgpassword" && !bytes.Contains([]byte(text), []byte("/etc/ganeti-cache-updater/secrets/"+key+"\n")) {
			t.Errorf("nothing uses %s of the Secret", key)
		}
	}
}
