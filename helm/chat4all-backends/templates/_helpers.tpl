{{/* The labels of an engine; takes a dict of root and engine. */}}
{{- define "backends.selector" -}}
app.kubernetes.io/name: {{ .engine }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "backends.labels" -}}
{{ include "backends.selector" . }}
app.kubernetes.io/part-of: chat4all-backends
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* The image of an engine: its own value, else by the kind of images. */}}
{{- define "backends.image" -}}
{{- $default := dict "local" (dict "kafka" "chat4all/kafka:4.2.0" "cassandra" "chat4all/cassandra:5.0.6")
                     "upstream" (dict "kafka" "apache/kafka:4.2.0" "cassandra" "cassandra:5.0.6") -}}
{{- index .root.Values .engine "image" | default (index $default .root.Values.images .engine) -}}
{{- end }}

{{/* What a container may do: nothing but write to its volumes. The upstream images write their configuration
     beside their programs, and so need a root file system that they can write to. */}}
{{- define "backends.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: {{ eq .root.Values.images "local" }}
capabilities: {drop: [ALL]}
{{- end }}

{{/* Served means: the engine answers a request of its own protocol. Alive means: it still takes connections. */}}
{{- define "backends.probes" -}}
startupProbe:
  exec: {command: [bash, /scripts/{{ .engine }}-answers.sh]}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 150
readinessProbe:
  exec: {command: [bash, /scripts/{{ .engine }}-answers.sh]}
  periodSeconds: 10
  timeoutSeconds: 5
livenessProbe:
  tcpSocket: {port: client}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end }}

{{- define "backends.claim" -}}
{{- $engine := index .root.Values .engine -}}
- metadata: {name: data}
  spec:
    accessModes: [ReadWriteOnce]
    {{- with $engine.storageClassName }}
    storageClassName: {{ . }}
    {{- end }}
    resources: {requests: {storage: {{ $engine.storage }}}}
{{- end }}
