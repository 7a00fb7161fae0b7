{{/* What the schema cannot say: relations of values. Each sentence names what to change. */}}
{{- define "labelstream.check" -}}
{{- if and (eq .Values.image.tag "latest") (not .Values.image.digest) -}}
{{- fail "image.tag is latest, which differs from node to node: set it to a version, or set image.digest" -}}
{{- end -}}
{{- $settings := .Values.settings -}}
{{- $kafka := $settings.kafka | default dict -}}
{{- range $worker := ternary (list "classify" "drift") (list "classify") .Values.drift.enabled -}}
{{- range $key := list "ssl_certificate_file" "ssl_private_key_file" "ssl_private_key_password_file" "sasl_password_file" -}}
{{- $file := index $kafka $key | default "" -}}
{{- if and (hasPrefix "/run/secrets/kafka/" $file) (not (index $.Values $worker).kafkaSecret) -}}
{{- fail (printf "settings.kafka.%s is %s, and nothing is mounted there: set %s.kafkaSecret to the Secret that holds %s" $key $file $worker (base $file)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (hasPrefix "/run/secrets/kafka-ca/" ($kafka.ssl_ca_file | default "")) (not .Values.kafkaCaSecret) -}}
{{- fail (printf "settings.kafka.ssl_ca_file is %s, and nothing is mounted there: set kafkaCaSecret to the Secret that holds ca.crt" $kafka.ssl_ca_file) -}}
{{- end -}}
{{- $url := include "labelstream.setting" (list . "reports" "url" "./labelstream-data") -}}
{{- if and .Values.drift.enabled (not (hasPrefix "s3://" $url)) -}}
{{- if not .Values.drift.volume.enabled -}}
{{- fail (printf "settings.reports.url is the folder %s, which is lost with the pod: set drift.volume.enabled=true, or an s3:// URL" $url) -}}
{{- end -}}
{{- if not (hasPrefix "/var/lib/labelstream/" $url) -}}
{{- fail (printf "settings.reports.url is %s, which is not on the volume: set it to /var/lib/labelstream/reports" $url) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.drift.volume.enabled (gt (int .Values.drift.replicas) 1) -}}
{{- fail "drift.volume.enabled=true gives each replica a volume of its own, and one of them writes the reports: set drift.replicas=1, or keep reports on S3" -}}
{{- end -}}
{{- if and .Values.strimzi.enabled (not .Values.classify.kafkaSecret) -}}
{{- fail "strimzi.enabled=true creates a KafkaUser for each worker: set classify.kafkaSecret and drift.kafkaSecret, which name the users and their Secrets" -}}
{{- end -}}
{{- if and .Values.strimzi.enabled .Values.drift.enabled (eq .Values.classify.kafkaSecret .Values.drift.kafkaSecret) -}}
{{- fail "classify.kafkaSecret and drift.kafkaSecret are the same: with strimzi.enabled=true each names a KafkaUser with rights of its own, so set two names" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail (printf "autoscaling.minReplicas is %v: set it to at most autoscaling.maxReplicas, %v" .Values.autoscaling.minReplicas .Values.autoscaling.maxReplicas) -}}
{{- end -}}
{{- range $worker, $group := include "labelstream.groups" . | fromJson -}}
{{- $claim := lookup "v1" "ConfigMap" $.Release.Namespace (include "labelstream.claim" $group) -}}
{{- if $claim -}}
{{- $owner := index ($claim.metadata.annotations | default dict) "meta.helm.sh/release-name" | default "nobody" -}}
{{- if ne $owner $.Release.Name -}}
{{- fail (printf "group %q already belongs to release %q in namespace %q, and two releases would share its partitions, each with its own settings: set settings.%s.group to another name, or uninstall %s" $group $owner $.Release.Namespace (ternary "drift" "source" (eq $worker "drift")) $owner) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The consumer group of each worker. */}}
{{- define "labelstream.groups" -}}
{{- $groups := dict "classify" (include "labelstream.setting" (list . "source" "group" "labelstream")) -}}
{{- if .Values.drift.enabled -}}
{{- $_ := set $groups "drift" (include "labelstream.setting" (list . "drift" "group" "labelstream-drift")) -}}
{{- end -}}
{{- toJson $groups -}}
{{- end -}}
