{{- /* What pods have in common: who they run as, what they may use, what they mount. */ -}}
{{- define "unmask.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
# A claim of many files need not be walked at every start.
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "unmask.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop:
    - ALL
{{- end }}

{{- define "unmask.resources" -}}
{{- $resources := deepCopy (default dict .Values.resources) }}
{{- if .Values.gpu.enabled }}
{{- $limits := default dict $resources.limits }}
{{- $_ := set $limits "nvidia.com/gpu" .Values.gpu.count }}
{{- $_ := set $resources "limits" $limits }}
{{- end }}
{{- toYaml $resources }}
{{- end }}

{{- define "unmask.models" -}}
{{- if eq .Values.models.source "pvc" -}}
- name: models
  persistentVolumeClaim:
    claimName: {{ .Values.models.pvc.claimName }}
    readOnly: true
{{- else if eq .Values.models.source "imageVolume" -}}
- name: models
  image:
    reference: {{ .Values.models.imageVolume.reference }}
    pullPolicy: {{ .Values.models.imageVolume.pullPolicy }}
{{- else if eq .Values.models.source "initContainer" -}}
- name: models
  emptyDir:
    sizeLimit: {{ .Values.models.initContainer.sizeLimit }}
{{- end }}
{{- end }}

{{- define "unmask.secrets" -}}
{{- if include "unmask.tls" . }}
- name: tls
  secret:
    secretName: {{ .Values.tls.secretName }}
    items:
      - key: tls.crt
        path: tls.crt
      - key: tls.key
        path: tls.key
    # Root's, and readable by the group of the pod.
    defaultMode: 0440
{{- end }}
{{- with .Values.tls.clientCa }}
{{- if .secretName }}
- name: clients
  secret:
    secretName: {{ .secretName }}
    items:
      - key: {{ .key }}
        path: ca.crt
{{- end }}
{{- end }}
{{- with .Values.auth.jwks }}
{{- if .secretName }}
- name: keys
  secret:
    secretName: {{ .secretName }}
    items:
      - key: {{ .key }}
        path: jwks.json
{{- else if .configMapName }}
- name: keys
  configMap:
    name: {{ .configMapName }}
    items:
      - key: {{ .key }}
        path: jwks.json
{{- end }}
{{- end }}
{{- end }}
