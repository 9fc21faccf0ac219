//! The validation rules of the API in Rust. They are needed because the installed CRD can be older than the operator.
//!
//! The words come from [`bluegreen_api::rules`], where the CEL for the same rule stands. The only rules
//! missing here compare with the previous version of the object, which only admission has.

mod checks;
mod lists;
mod metadata;
mod ports;
mod service;
mod size;
mod syntax;
mod template;

use bluegreen_api::rules::{self, StaticRule};
use bluegreen_api::{
    BlueGreenAppSpec, Color, ColorSpec, ExecProbe, GrpcProbe, HttpGetProbe, ReadinessProbe, Standby,
    TcpProbe, most_items,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// One problem of an app's spec, with the message that admission gives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The path of the field, for example `spec.blue.tag`.
    pub field: String,
    /// What the field must be, and what to do.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Returns the problems for which the operator leaves an app as it is. An app that was stored before admission knew a rule
/// about what the pods do is still served and switched: the rule is a hint at a mistake, and the pods run as before. So is
/// one whose lists are longer than they may be now: its size has a bound, too.
#[must_use]
pub fn blocking(name: &str, spec: &BlueGreenAppSpec) -> Vec<Problem> {
    found(name, spec).blocking
}

/// Returns all problems of an app with this name and spec. The list is empty if admission would accept the app, and the
/// operator would act on it.
///
/// It never panics, whatever `spec` holds.
#[must_use]
pub fn problems(name: &str, spec: &BlueGreenAppSpec) -> Vec<Problem> {
    let Found { mut blocking, others } = found(name, spec);
    blocking.extend(others);
    blocking
}

fn found(name: &str, spec: &BlueGreenAppSpec) -> Found {
    let mut found = Found::default();
    let BlueGreenAppSpec {
        active,
        image,
        blue,
        green,
        replicas,
        standby,
        port,
        port_name,
        app_protocol,
        readiness_probe,
        service,
        template,
        common_metadata,
        min_ready_seconds,
        progress_deadline_seconds,
        drain_seconds,
        max_surge,
        active_update_policy: _,
        checks,
        paused: _,
    } = spec;

    found.check("metadata.name", rules::NAME_SYNTAX, syntax::is_app_name(name));
    found.check("metadata.name", rules::NAME_SUFFIX, !syntax::has_reserved_suffix(name));
    found.check("spec.active", rules::ACTIVE_BLOCK_PRESENT, spec.color(*active).is_some());
    found.repository("spec.image", image);
    for (color, block) in [(Color::Blue, blue), (Color::Green, green)] {
        if let Some(block) = block {
            color_block(&mut found, color, block);
        }
    }
    found.at_least("spec.replicas", *replicas, 1);
    if let Some(Standby { replicas, scale_down_after_seconds }) = standby {
        found.at_least_if("spec.standby.replicas", *replicas, 0);
        found.at_least_if("spec.standby.scaleDownAfterSeconds", *scale_down_after_seconds, 0);
    }
    found.port("spec.port", Some(*port));
    found.check("spec.portName", rules::PORT_NAME_SYNTAX, syntax::is_port_name(port_name));
    if let Some(protocol) = app_protocol {
        found.longest("spec.appProtocol", protocol, 317);
        found.check("spec.appProtocol", rules::APP_PROTOCOL_SYNTAX, syntax::is_app_protocol(protocol));
    }
    probe(&mut found, readiness_probe);
    service::check(&mut found, service);
    ports::check(&mut found, spec);
    if let Some(template) = template {
        template::check(&mut found, spec, template);
    }
    if let Some(common) = common_metadata {
        metadata::check(&mut found, common);
    }
    found.at_least("spec.minReadySeconds", *min_ready_seconds, 0);
    found.at_least("spec.progressDeadlineSeconds", *progress_deadline_seconds, 1);
    found.check(
        "spec.minReadySeconds",
        rules::MIN_READY_BELOW_DEADLINE,
        min_ready_seconds < progress_deadline_seconds,
    );
    found.at_least("spec.drainSeconds", *drain_seconds, 0);
    found.at_most("spec.drainSeconds", *drain_seconds, 86400);
    let surges = match max_surge {
        IntOrString::Int(pods) => *pods >= 1,
        IntOrString::String(percentage) => syntax::is_positive_percentage(percentage),
    };
    found.check("spec.maxSurge", rules::MAX_SURGE, surges);
    checks::check(&mut found, checks);
    size::check(&mut found, spec);
    found
}

fn color_block(found: &mut Found, color: Color, block: &ColorSpec) {
    let ColorSpec { tag, digest, image, env, revision } = block;
    let at = format!("spec.{color}");
    found.check(&at, rules::TAG_OR_DIGEST, tag.is_some() || digest.is_some());
    if let Some(tag) = tag {
        found.check(&format!("{at}.tag"), rules::TAG_SYNTAX, syntax::is_tag(tag));
    }
    if let Some(digest) = digest {
        found.check(&format!("{at}.digest"), rules::DIGEST_SYNTAX, syntax::is_digest(digest));
    }
    if let Some(image) = image {
        found.repository(&format!("{at}.image"), image);
    }
    let one_source = env
        .iter()
        .all(|variable| variable.value_from.is_none() || variable.value.as_deref().is_none_or(str::is_empty));
    found.check(&format!("{at}.env"), rules::ENV_ONE_SOURCE, one_source);
    // A value that came from the API server can be written as JSON.
    if let Ok(variables) = serde_json::to_value(env) {
        lists::check(found, &format!("{at}.env"), "containers.env", &variables);
    }
    found.at_most_items(&format!("{at}.env"), env.len(), 256);
    found.longest(&format!("{at}.revision"), revision.as_deref().unwrap_or_default(), 253);
}

fn probe(found: &mut Found, probe: &ReadinessProbe) {
    let ReadinessProbe {
        http_get,
        tcp_socket,
        grpc,
        exec,
        initial_delay_seconds,
        period_seconds,
        timeout_seconds,
        success_threshold,
        failure_threshold,
    } = probe;
    let at = "spec.readinessProbe";
    let handlers = [http_get.is_some(), tcp_socket.is_some(), grpc.is_some(), exec.is_some()];
    let handlers = handlers.into_iter().filter(|given| *given).count();
    found.check(at, rules::PROBE_ONE_HANDLER, handlers <= 1);
    if let Some(HttpGetProbe { path, port, scheme: _, host, http_headers }) = http_get {
        found.probe_port(&format!("{at}.httpGet.port"), port.as_ref());
        found.longest(&format!("{at}.httpGet.path"), path.as_deref().unwrap_or_default(), 2048);
        found.longest(&format!("{at}.httpGet.host"), host.as_deref().unwrap_or_default(), 253);
        found.at_most_items(&format!("{at}.httpGet.httpHeaders"), http_headers.len(), 64);
    }
    if let Some(TcpProbe { port, host }) = tcp_socket {
        found.probe_port(&format!("{at}.tcpSocket.port"), port.as_ref());
        found.longest(&format!("{at}.tcpSocket.host"), host.as_deref().unwrap_or_default(), 253);
    }
    if let Some(GrpcProbe { port, service: _ }) = grpc {
        found.port(&format!("{at}.grpc.port"), *port);
    }
    if let Some(ExecProbe { command }) = exec {
        if command.is_empty() {
            found.add(&format!("{at}.exec.command"), "should have at least 1 items");
        }
        found.longer_than_now(&format!("{at}.exec.command"), command.len(), most_items("command"));
    }
    found.at_least_if(&format!("{at}.initialDelaySeconds"), *initial_delay_seconds, 0);
    found.at_least_if(&format!("{at}.periodSeconds"), *period_seconds, 1);
    found.at_least_if(&format!("{at}.timeoutSeconds"), *timeout_seconds, 1);
    found.at_least_if(&format!("{at}.successThreshold"), *success_threshold, 1);
    found.at_least_if(&format!("{at}.failureThreshold"), *failure_threshold, 1);
}

/// As the API server says it.
fn at_most(items: usize) -> String {
    format!("must have at most {items} items")
}

/// The problems found so far.
#[derive(Default)]
struct Found {
    /// Those for which the operator leaves an app as it is.
    blocking: Vec<Problem>,
    /// Those that only admission refuses.
    others: Vec<Problem>,
}

impl Found {
    fn add(&mut self, field: &str, message: impl Into<String>) {
        self.blocking.push(Problem { field: field.to_owned(), message: message.into() });
    }

    /// Checks a rule that apps may break which were stored before admission knew it.
    fn check_new(&mut self, field: &str, rule: StaticRule, holds: bool) {
        if !holds {
            self.others.push(Problem { field: field.to_owned(), message: rule.message.to_owned() });
        }
    }

    /// Notes a problem for which the operator does not leave the app as it is.
    fn note(&mut self, field: &str, message: String) {
        self.others.push(Problem { field: field.to_owned(), message });
    }

    fn within(&mut self, field: &str, value: i64, bounds: std::ops::RangeInclusive<i64>) {
        if value < *bounds.start() {
            self.note(field, format!("should be greater than or equal to {}", bounds.start()));
        } else if value > *bounds.end() {
            self.note(field, format!("should be less than or equal to {}", bounds.end()));
        }
    }

    /// Checks a list that may have been stored before it had a bound.
    fn longer_than_now(&mut self, field: &str, count: usize, most: usize) {
        if count > most {
            self.others.push(Problem { field: field.to_owned(), message: at_most(most) });
        }
    }

    fn check(&mut self, field: &str, rule: StaticRule, holds: bool) {
        if !holds {
            self.add(field, rule.message);
        }
    }

    fn at_least(&mut self, field: &str, value: i32, least: i32) {
        if value < least {
            self.add(field, format!("should be greater than or equal to {least}"));
        }
    }

    fn at_least_if(&mut self, field: &str, value: Option<i32>, least: i32) {
        if let Some(value) = value {
            self.at_least(field, value, least);
        }
    }

    fn at_most(&mut self, field: &str, value: i32, most: i32) {
        if value > most {
            self.add(field, format!("should be less than or equal to {most}"));
        }
    }

    fn port(&mut self, field: &str, value: Option<i32>) {
        if let Some(value) = value {
            self.at_least(field, value, 1);
            self.at_most(field, value, 65535);
        }
    }

    fn probe_port(&mut self, field: &str, value: Option<&IntOrString>) {
        let valid = match value {
            None => true,
            Some(IntOrString::Int(number)) => (1..=65535).contains(number),
            Some(IntOrString::String(name)) => syntax::is_probe_port_name(name),
        };
        self.check(field, rules::PROBE_PORT, valid);
    }

    fn longest(&mut self, field: &str, text: &str, most: usize) {
        if text.chars().count() > most {
            self.add(field, format!("may not be more than {most} characters"));
        }
    }

    fn at_most_items(&mut self, field: &str, count: usize, most: usize) {
        if count > most {
            self.add(field, at_most(most));
        }
    }

    fn repository(&mut self, field: &str, image: &str) {
        let bare = !syntax::has_tag_or_digest(image);
        self.check(field, rules::IMAGE_WITHOUT_TAG, bare);
        self.check(field, rules::IMAGE_SYNTAX, !bare || syntax::is_repository(image));
        self.longest(field, image, 255);
    }

    fn keys(&mut self, field: &str, map: &std::collections::BTreeMap<String, String>, most: usize) {
        let own = map.keys().all(|key| !key.starts_with(rules::RESERVED_PREFIX));
        self.check(field, rules::RESERVED_KEYS, own);
        if map.len() > most {
            self.add(field, format!("must have at most {most} properties"));
        }
    }
}
