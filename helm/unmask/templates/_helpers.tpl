{{- /* Name of the chart, of objects, and labels that every chart has. */ -}}
{{- define "unmask.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- /* Fifty characters, so that suffixes such as -headless fit into the sixty-three of a DNS label. */ -}}
{{- define "unmask.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- $name := include "unmask.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "unmask.selectorLabels" -}}
app.kubernetes.io/name: {{ include "unmask.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "unmask.metaLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "unmask.labels" -}}
{{ include "unmask.selectorLabels" . }}
{{ include "unmask.metaLabels" . }}
{{- end }}

{{- define "unmask.serviceAccountName" -}}
{{- if .Values.serviceAccount.name }}
{{- .Values.serviceAccount.name }}
{{- else if .Values.serviceAccount.create }}
{{- include "unmask.fullname" . }}
{{- else }}
{{- "default" }}
{{- end }}
{{- end }}

{{- define "unmask.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- $tag := printf "%s%s" .Chart.AppVersion (ternary "-cuda" "" .Values.gpu.enabled) }}
{{- printf "%s:%s" .Values.image.repository (default $tag .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "unmask.tls" -}}
{{- if .Values.tls.secretName }}true{{ end }}
{{- end }}

{{- define "unmask.jwks" -}}
{{- if or .Values.auth.jwks.secretName .Values.auth.jwks.configMapName }}true{{ end }}
{{- end }}

{{- /* Nothing is rendered before this holds: a server in the open is somebody's decision, never an oversight. */ -}}
{{- define "unmask.check" -}}
{{- $tls := include "unmask.tls" . }}
{{- $jwks := include "unmask.jwks" . }}
{{- $ca := .Values.tls.clientCa.secretName }}
{{- if and $ca (not $tls) }}
{{- fail "tls.clientCa.secretName is set without tls.secretName: a client's certificate is asked for in a TLS handshake, set both" }}
{{- end }}
{{- if and .Values.auth.jwks.secretName .Values.auth.jwks.configMapName }}
{{- fail "auth.jwks.secretName and auth.jwks.configMapName are both set: the keys lie in one of them" }}
{{- end }}
{{- if and $jwks (not .Values.auth.audience) }}
{{- fail "auth.audience is missing: without it a token for somebody else would be believed" }}
{{- end }}
{{- if and (not .Values.insecure) (not (and $tls (or $jwks $ca))) }}
{{- fail "choose how the server is guarded: set tls.secretName, and auth.jwks.secretName, auth.jwks.configMapName or tls.clientCa.secretName; or say insecure=true for a closed network" }}
{{- end }}
{{- if and (eq .Values.models.source "pvc") (not .Values.models.pvc.claimName) }}
{{- fail "models.source is pvc: set models.pvc.claimName" }}
{{- end }}
{{- if and (eq .Values.models.source "initContainer") (not .Values.models.initContainer.image) }}
{{- fail "models.source is initContainer: set models.initContainer.image" }}
{{- end }}
{{- if eq .Values.models.source "imageVolume" }}
{{- if not .Values.models.imageVolume.reference }}
{{- fail "models.source is imageVolume: set models.imageVolume.reference" }}
{{- end }}
{{- if semverCompare "<1.33.0-0" .Capabilities.KubeVersion.Version }}
{{- fail (printf "models.source is imageVolume, which needs Kubernetes 1.33; this is %s" .Capabilities.KubeVersion.Version) }}
{{- end }}
{{- end }}
{{- end }}
