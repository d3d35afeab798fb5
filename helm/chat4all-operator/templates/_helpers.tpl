{{/* The name of everything: the release's, where that says already what it is. */}}
{{- define "operator.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{/* The labels that select the operator's pods; they never change. */}}
{{- define "operator.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The labels of every object. "managed-by" is Helm; that of what the operator creates is the operator. */}}
{{- define "operator.labels" -}}
{{ include "operator.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "operator.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "operator.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "operator.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* What the operator may do with clusters and what they own: each verb that its code uses, no other. */}}
{{- define "operator.rules" -}}
- apiGroups: [chat4all.io]
  resources: [chat4allclusters]
  verbs: [list, watch]
- apiGroups: [chat4all.io]
  resources: [chat4allclusters/status]
  verbs: [patch]
# Hands the number of routers back when spec.router.autoscaling is switched off.
- apiGroups: [chat4all.io]
  resources: [chat4allclusters/scale]
  verbs: [patch]
# Lets it say that what it creates belongs to a cluster, where the API server checks that.
- apiGroups: [chat4all.io]
  resources: [chat4allclusters/finalizers]
  verbs: [update]
# Reads those that a cluster names; of the others it sees the metadata when one changes. RBAC cannot
# tell the two apart.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
# "create" belongs to a server-side apply of what is not there yet.
- apiGroups: [""]
  resources: [configmaps, serviceaccounts, services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
# Sets the number of routers.
- apiGroups: [apps]
  resources: [deployments/scale]
  verbs: [patch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [list, watch, create, delete]
# Asks pods that do not run why; knows the addresses of routers, to ask how busy they are.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
