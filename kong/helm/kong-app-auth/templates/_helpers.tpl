{{- define "app-auth.name" -}}
{{- printf "%s-%s" .root.Release.Name .part | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "app-auth.selector" -}}
app.kubernetes.io/name: {{ .part }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{- define "app-auth.labels" -}}
{{ include "app-auth.selector" . }}
app.kubernetes.io/part-of: kong-app-auth
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "app-auth.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "app-auth.redis-url" -}}
{{- if .Values.redis.url -}}
{{ .Values.redis.url }}
{{- else if .Values.valkey.enabled -}}
redis://{{ include "app-auth.name" (dict "root" . "part" "valkey") }}:6379/0
{{- else -}}
{{ fail "say redis.url, or enable valkey" }}
{{- end -}}
{{- end -}}

{{- define "app-auth.portal-url" -}}
{{- if .Values.sync.portalUrl -}}
{{ .Values.sync.portalUrl }}
{{- else if .Values.portal.enabled -}}
http://{{ include "app-auth.name" (dict "root" . "part" "portal") }}
{{- else -}}
{{ fail "say sync.portalUrl, or enable portal" }}
{{- end -}}
{{- end -}}

{{/* What every pod of ours has: no token of the cluster, not root, no more rights than it began with. */}}
{{- define "app-auth.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "app-auth.selector" . | nindent 8 }}
{{- end -}}

{{- define "app-auth.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "app-auth.env" -}}
{{- range $name, $value := .env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- with .extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
