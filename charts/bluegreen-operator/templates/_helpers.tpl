{{- define "bluegreen.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "bluegreen.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "bluegreen.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "bluegreen.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "bluegreen.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "bluegreen.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "bluegreen.selectorLabels" -}}
app.kubernetes.io/name: {{ include "bluegreen.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "bluegreen.labels" -}}
{{- with .Values.commonLabels }}
{{- toYaml . }}
{{ end }}
{{- include "bluegreen.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "bluegreen.notifySelectorLabels" -}}
{{- include "bluegreen.selectorLabels" . | replace "component: operator" "component: notifier" }}
{{- end }}

{{- define "bluegreen.notifyLabels" -}}
{{- include "bluegreen.labels" . | replace "component: operator" "component: notifier" }}
{{- end }}

{{- define "bluegreen.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "bluegreen.subject" -}}
- kind: ServiceAccount
  name: {{ include "bluegreen.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{- define "bluegreen.metricsService" -}}
{{- if or .Values.metrics.service.enabled .Values.metrics.serviceMonitor.enabled }}true{{ end }}
{{- end }}

{{- /* Who scrapes the metrics reaches their port only then. */}}
{{- define "bluegreen.metricsPort" -}}
{{- if or (include "bluegreen.metricsService" .) .Values.metrics.podMonitor.enabled }}true{{ end }}
{{- end }}

{{- /* The policy of files/NAME.yaml and its binding, of (list . NAME CHOICE ACTIONS). None where the choice is Allow, or where one
namespace is watched: a policy holds for the whole cluster, and installing one needs the right to do so. The files name the operator's
account as config/ does. */}}
{{- define "bluegreen.policy" -}}
{{- $root := index . 0 }}
{{- $name := index . 1 }}
{{- if and (ne (index . 2) "Allow") (not $root.Values.watchNamespaces) }}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: {{ include "bluegreen.fullname" $root }}-{{ $name }}
  labels:
    {{- include "bluegreen.labels" $root | nindent 4 }}
spec:
  {{- $account := printf "%s:%s" $root.Release.Namespace (include "bluegreen.serviceAccountName" $root) }}
  {{- $root.Files.Get (printf "files/%s.yaml" $name) | replace "bluegreen-system:bluegreen-operator" $account | replace "'bluegreen-system'" (squote $root.Release.Namespace) | trim | nindent 2 }}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ include "bluegreen.fullname" $root }}-{{ $name }}
  labels:
    {{- include "bluegreen.labels" $root | nindent 4 }}
spec:
  policyName: {{ include "bluegreen.fullname" $root }}-{{ $name }}
  validationActions: [{{ index . 3 | join ", " }}]
{{- end }}
{{- end }}
