//! What one container of a pod waits for.

use std::fmt;

use bluegreen_api::APP_CONTAINER;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
    ContainerStatus, Pod,
};
use kube::{Resource, ResourceExt};

use super::{Cause, Severity, describe};

/// After so long without a crash, the kubelet restarts a container at once again: an earlier crash says nothing any more.
const RECOVERED: SignedDuration = SignedDuration::from_mins(10);

/// In which list of the pod a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Init,
    Main,
}

/// A container with its status.
pub(super) struct Contained<'a> {
    pod: &'a Pod,
    role: Role,
    spec: Option<&'a Container>,
    status: &'a ContainerStatus,
}

impl fmt::Display for Contained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.role {
            Role::Init if self.is_sidecar() => "sidecar container",
            Role::Init => "init container",
            Role::Main => "container",
        };
        write!(f, "{kind} {}", self.status.name)
    }
}

impl<'a> Contained<'a> {
    pub fn new(pod: &'a Pod, role: Role, spec: Option<&'a Container>, status: &'a ContainerStatus) -> Self {
        Self { pod, role, spec, status }
    }

    /// Returns true for an init container that is restarted always: it runs beside the others.
    fn is_sidecar(&self) -> bool {
        let restart = self.spec.and_then(|spec| spec.restart_policy.as_deref());
        self.role == Role::Init && restart == Some("Always")
    }

    /// Returns true for an init container that the next one waits for.
    pub fn blocks(&self) -> bool {
        if self.is_sidecar() {
            return self.status.started != Some(true);
        }
        self.role == Role::Init && ended(self.status.state.as_ref()).is_none_or(|ended| ended.exit_code != 0)
    }

    /// Returns true if it has not been started once, and nothing has failed.
    pub fn is_being_created(&self) -> bool {
        let waiting = match &self.status.state {
            Some(state) if state.running.is_some() || state.terminated.is_some() => return false,
            Some(ContainerState { waiting: Some(waiting), .. }) => waiting.reason.as_deref(),
            Some(_) | None => None,
        };
        matches!(waiting, None | Some("" | "ContainerCreating" | "PodInitializing"))
    }

    /// Why it is not ready, or has not finished.
    pub fn cause(&self, now: Timestamp) -> Option<Cause> {
        let state = self.status.state.as_ref()?;
        if let Some(waiting) = &state.waiting {
            return Some(self.waits(waiting));
        }
        if let Some(ended) = &state.terminated {
            let is_done = self.role == Role::Init && !self.is_sidecar() && ended.exit_code == 0;
            return (!is_done).then(|| self.crashes(Some(ended)));
        }
        self.runs(state.running.as_ref()?, now)
    }

    fn waits(&self, waiting: &ContainerStateWaiting) -> Cause {
        match waiting.reason.as_deref().unwrap_or_default() {
            // ErrImagePull and ImagePullBackOff alternate with every attempt.
            "ErrImagePull"
            | "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "ImageInspectError"
            | "RegistryUnavailable"
            | "SignatureValidationFailed" => {
                Cause::new(Severity::Image, format!("the image {} can't be pulled", self.status.image))
            }
            "CrashLoopBackOff" => self.crashes(ended(self.status.last_state.as_ref())),
            // The kubelet's own words about the template, such as a Secret that a variable needs.
            reason @ "CreateContainerConfigError" => {
                let words = waiting.message.as_deref().map(|words| format!(": {}", self.of_any_pod(words)));
                let words = format!("{self} does not start: {reason}{}", words.unwrap_or_default());
                Cause::new(Severity::Start, words)
            }
            // Alternates with CrashLoopBackOff, and the runtime's words name what differs each time.
            "RunContainerError" => self.cannot_start(),
            other => {
                let words = format!("{self} does not start: {other}; {} shows why", describe(self.pod));
                Cause::new(Severity::Start, words)
            }
        }
    }

    fn cannot_start(&self) -> Cause {
        let words = format!("{self} can't be started; {} shows why", describe(self.pod));
        Cause::new(Severity::Start, words)
    }

    /// Words without the pod's name and uid, which differ from pod to pod.
    fn of_any_pod(&self, words: &str) -> String {
        let meta = self.pod.meta();
        let (name, uid) = (self.pod.name_any(), meta.uid.clone().unwrap_or_default());
        [name, uid]
            .iter()
            .filter(|text| !text.is_empty())
            .fold(words.to_owned(), |words, text| words.replace(text, "…"))
    }

    fn crashes(&self, ended: Option<&ContainerStateTerminated>) -> Cause {
        let reason = ended.and_then(|ended| ended.reason.as_deref()).unwrap_or_default();
        if matches!(reason, "StartError" | "ContainerCannotRun") {
            return self.cannot_start();
        }
        let code = ended.map(|ended| ended.exit_code);
        let what = match (self.role, code) {
            (Role::Init, _) if !self.is_sidecar() => "keeps failing",
            (_, Some(0)) => "keeps ending",
            (_, Some(_) | None) => "keeps crashing",
        };
        let exit = match (code, reason) {
            (None, _) => String::new(),
            (Some(code), "" | "Error" | "Completed") => format!(" (exit code {code})"),
            (Some(code), reason) => format!(" (exit code {code}, {reason})"),
        };
        // How a container ends that the kubelet stops; the status says the same of one that ends by itself.
        let may_be_stopped = matches!(code, Some(0 | 137 | 143)) && reason != "OOMKilled";
        let has_probe =
            self.spec.is_some_and(|spec| spec.liveness_probe.is_some() || spec.startup_probe.is_some());
        let probe = match may_be_stopped && has_probe {
            true => "; its liveness or startup probe may have failed",
            false => "",
        };
        Cause::new(Severity::Crash, format!("{self} {what}{exit}{probe}"))
    }

    fn runs(&self, running: &ContainerStateRunning, now: Timestamp) -> Option<Cause> {
        let last = ended(self.status.last_state.as_ref());
        if self.role == Role::Init && !self.is_sidecar() {
            if last.is_some_and(|last| last.exit_code != 0) {
                return Some(self.crashes(last));
            }
            let since = running.started_at.as_ref().map(|since| format!(" (running since {})", since.0));
            let words = format!("{self} has not finished yet");
            return Some(Cause::new(Severity::Init, words).with(since.unwrap_or_default()));
        }
        if self.status.ready {
            return None;
        }
        // Between two crashes it runs for a while: the words stay.
        let is_new = running.started_at.as_ref().is_none_or(|since| now.duration_since(since.0) < RECOVERED);
        if last.is_some() && self.status.restart_count > 1 && is_new {
            return Some(self.crashes(last));
        }
        let of = if self.is_apps() { String::new() } else { format!(" of {self}") };
        let has = |probe: fn(&Container) -> bool| self.spec.is_some_and(probe);
        let words = if self.status.started == Some(false) && has(|spec| spec.startup_probe.is_some()) {
            format!("the startup probe{of} has not succeeded yet")
        } else if has(|spec| spec.readiness_probe.is_some()) {
            format!("the readiness probe{of} does not succeed")
        } else {
            format!("{self} runs and is not ready")
        };
        Some(Cause::new(Severity::Probe, words))
    }

    /// Returns true for the app's own container, whose probe is `spec.readinessProbe`.
    fn is_apps(&self) -> bool {
        self.role == Role::Main && self.status.name == APP_CONTAINER
    }
}

fn ended(state: Option<&ContainerState>) -> Option<&ContainerStateTerminated> {
    state?.terminated.as_ref()
}
