{{- /*
The configuration of the server: what the chart has to agree with (addresses, paths, guards, drain) over what `.Values.config` says. A key of
the first kind in `.Values.config` is refused, so that no value is without effect.
*/ -}}
{{- define "unmask.config" -}}
{{- $own := dict
  "server" (dict "listen" (printf "%s:50051" .Values.address) "insecure" .Values.insecure)
  "admin" (dict "listen" (printf "%s:9464" .Values.address))
  "drain" (dict "notice_seconds" .Values.drain.noticeSeconds "grace_seconds" .Values.drain.graceSeconds)
  "models" (dict "root" "/models")
}}
{{- if include "unmask.tls" . }}
{{- $_ := set $own "tls" (dict "certificate" "/etc/unmask/tls/tls.crt" "key" "/etc/unmask/tls/tls.key") }}
{{- if .Values.tls.clientCa.secretName }}
{{- $_ := set $own.tls "client_ca" "/etc/unmask/clients/ca.crt" }}
{{- end }}
{{- end }}
{{- if include "unmask.jwks" . }}
{{- $_ := set $own "auth" (dict "jwks" "/etc/unmask/keys/jwks.json" "audience" .Values.auth.audience) }}
{{- if .Values.auth.issuer }}
{{- $_ := set $own.auth "issuer" .Values.auth.issuer }}
{{- end }}
{{- end }}
{{- $given := deepCopy (default dict .Values.config) }}
{{- range $section, $key := dict "server" (list "listen" "insecure") "admin" (list "listen") "drain" (list "notice_seconds" "grace_seconds") "models" (list "root") "tls" (list "certificate" "key" "client_ca") "auth" (list "jwks" "audience" "issuer") }}
{{- range $key }}
{{- if hasKey (default dict (get $given $section)) . }}
{{- fail (printf "config.%s.%s is the chart's to set: README.md names the value that decides it" $section .) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.gpu.enabled (not (hasKey (default dict $given.pool) "devices")) }}
{{- $devices := list }}
{{- range $i := until (int .Values.gpu.count) }}
{{- $devices = append $devices (printf "cuda:%d" $i) }}
{{- end }}
{{- $_ := set $own "pool" (dict "devices" $devices) }}
{{- end }}
{{- include "unmask.toml.table" (dict "path" "" "table" (mergeOverwrite $given $own)) | trim }}
{{- end }}

{{- /*
A map as TOML, tables after values as TOML wants it. Helm's own toToml writes every number of a values file as a float, and 33554432 as
3.3554432e+07, which is no number of bytes. Any map goes through here unread: each key that the server knows, today or tomorrow, can be said.
*/ -}}
{{- define "unmask.toml.table" -}}
{{- $path := .path }}
{{- range $key, $value := .table }}
{{- if not (or (kindIs "map" $value) (kindIs "invalid" $value)) }}
{{ include "unmask.toml.key" $key }} = {{ include "unmask.toml.value" $value }}
{{- end }}
{{- end }}
{{- range $key, $value := .table }}
{{- if kindIs "map" $value }}
{{- $name := include "unmask.toml.key" $key }}
{{- if $path }}
{{- $name = printf "%s.%s" $path $name }}
{{- end }}

[{{ $name }}]
{{- include "unmask.toml.table" (dict "path" $name "table" $value) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "unmask.toml.key" -}}
{{- if regexMatch "^[A-Za-z0-9_-]+$" . }}{{ . }}{{ else }}{{ toJson . }}{{ end }}
{{- end }}

{{- /* JSON's strings are TOML's basic strings. */ -}}
{{- define "unmask.toml.value" -}}
{{- if kindIs "slice" . }}
{{- $items := list }}
{{- range . }}
{{- $items = append $items (include "unmask.toml.value" .) }}
{{- end }}
{{- printf "[%s]" (join ", " $items) }}
{{- else if kindIs "float64" . }}
{{- if eq . (floor .) }}{{ printf "%.0f" . }}{{ else }}{{ toJson . }}{{ end }}
{{- else }}
{{- toJson . }}
{{- end }}
{{- end }}
