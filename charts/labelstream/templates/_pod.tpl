{{/* What the pods of both workers and the test have in common: (list . "classify"). */}}
{{- define "labelstream.pod" -}}
{{- $ := index . 0 -}}
{{- $values := index $.Values (index . 1) -}}
serviceAccountName: {{ include "labelstream.name" $ }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "labelstream.container" -}}
{{- $ := index . 0 -}}
{{- $values := index $.Values (index . 1) -}}
image: {{ include "labelstream.image" $ }}
imagePullPolicy: {{ $.Values.image.pullPolicy }}
{{- with $values.environmentSecrets }}
envFrom:
  {{- range . }}
  - secretRef:
      name: {{ . }}
  {{- end }}
{{- end }}
resources:
  {{- toYaml $values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  - name: settings
    mountPath: /etc/labelstream
    readOnly: true
  - name: data
    mountPath: /var/lib/labelstream
  {{- if $values.kafkaSecret }}
  - name: kafka
    mountPath: /run/secrets/kafka
    readOnly: true
  {{- end }}
  {{- if $.Values.kafkaCaSecret }}
  - name: kafka-ca
    mountPath: /run/secrets/kafka-ca
    readOnly: true
  {{- end }}
{{- end -}}

{{- define "labelstream.volumes" -}}
{{- $ := index . 0 -}}
{{- $values := index $.Values (index . 1) -}}
- name: settings
  configMap:
    name: {{ include "labelstream.settings" $ }}
{{- with $values.kafkaSecret }}
- name: kafka
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- with $.Values.kafkaCaSecret }}
- name: kafka-ca
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- end -}}
