{{/* Begins every name. Short enough for a worker's name and a revision's hash in a label of 63 characters. */}}
{{- define "labelstream.name" -}}
{{- $name := ternary .Release.Name (printf "%s-labelstream" .Release.Name) (contains "labelstream" .Release.Name) -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "labelstream.selector" -}}
app.kubernetes.io/name: labelstream
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "labelstream.labels" -}}
{{ include "labelstream.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "labelstream.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* labelstream.toml. A JSON scalar or list of them is the same in TOML. */}}
{{- define "labelstream.toml" -}}
{{- range $section, $keys := .Values.settings }}
[{{ $section }}]
{{- range $key, $value := $keys }}
{{- if not (kindIs "map" $value) }}
{{ $key }} = {{ toJson $value }}
{{- end }}
{{- end }}
{{- range $key, $table := $keys }}
{{- if kindIs "map" $table }}
[{{ $section }}.{{ $key }}]
{{- range $inner, $value := $table }}
{{ quote $inner }} = {{ toJson $value }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The name ends in a hash of the content, so a changed setting is a rolling update. */}}
{{- define "labelstream.settings" -}}
{{ include "labelstream.name" . }}-settings-{{ include "labelstream.toml" . | sha256sum | trunc 10 }}
{{- end -}}

{{/* labelstream.setting (list . "section" "key" default): a setting as written, else its default in the program. */}}
{{- define "labelstream.setting" -}}
{{- $values := (index . 0).Values.settings -}}
{{- $section := index $values (index . 1) | default dict -}}
{{- index $section (index . 2) | default (index . 3) -}}
{{- end -}}

{{- define "labelstream.topics" -}}
{{- $source := .Values.settings.source | default dict -}}
{{- $source.topics | default (list "messages") | toJson -}}
{{- end -}}

{{/* From the first signal to the end, in seconds: longer than the program takes to stop by itself. */}}
{{- define "labelstream.grace" -}}
{{- $ms := include "labelstream.setting" (list . "run" "shutdown_grace_ms" 25000) | int -}}
{{- add 10 (div (add $ms 999) 1000) -}}
{{- end -}}

{{/* The ConfigMap that keeps a group for one release: its name follows from the group. */}}
{{- define "labelstream.claim" -}}
labelstream-group-{{ . | lower | replace "_" "-" | replace "." "-" | trunc 30 | trimAll "-" }}-{{ sha256sum . | trunc 8 }}
{{- end -}}
