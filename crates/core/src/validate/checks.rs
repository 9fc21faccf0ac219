//! The rules of `spec.checks`.
//!
//! None of them keeps the operator from serving an app: a check that can't be carried out can't tell, and a way back waits for
//! no check.

pub(super) mod syntax;

use std::ops::RangeInclusive;

use bluegreen_api::rules::{self, CHECK_SLACK};
use bluegreen_api::{
    CHECKS_MAX, Check, CheckHeader, CheckTime, HttpCheck, JobCheck, JobContainer, Pace, PrometheusCheck,
    TemplateMetadata,
};

use self::syntax::{
    has_known_names, is_address, is_decimal, is_header_name, is_name, is_path, is_status, number,
};
use super::{Found, Problem, at_most};

pub(super) fn check(found: &mut Found, checks: &[Check]) {
    if checks.len() > CHECKS_MAX {
        found.others.push(Problem { field: "spec.checks".to_owned(), message: at_most(CHECKS_MAX) });
    }
    for (index, check) in checks.iter().enumerate() {
        let at = format!("spec.checks[{index}]");
        if checks.iter().take(index).any(|other| other.name == check.name) {
            found.note(
                &at,
                format!("Duplicate value: a check named {} is there already: rename one", check.name),
            );
        }
        one(found, &at, check);
    }
}

fn one(found: &mut Found, at: &str, check: &Check) {
    let Check { name, when, enforce: _, deadline_seconds, job, http, prometheus } = check;
    let deadline = i64::from(*deadline_seconds);
    found.check_new(&format!("{at}.name"), rules::CHECK_NAME, is_name(name));
    found.within(&format!("{at}.deadlineSeconds"), deadline, 1..=3600);
    let given = [job.is_some(), http.is_some(), prometheus.is_some()];
    found.check_new(at, rules::CHECK_ONE_KIND, given.into_iter().filter(|given| *given).count() == 1);
    let paces = [
        http.as_ref().map(|it| ("http", it.pace())),
        prometheus.as_ref().map(|it| ("prometheus", it.pace())),
    ];
    for (field, pace) in paces.into_iter().flatten() {
        pace_of(found, &format!("{at}.{field}"), &pace);
        let needed = i64::from(pace.delay(*when)) + i64::from(pace.lasts(*when)) + i64::from(CHECK_SLACK);
        found.check_new(&format!("{at}.deadlineSeconds"), rules::CHECK_IN_TIME, deadline >= needed);
        let lasts = *when == CheckTime::Before || pace.lasts(*when) >= 10;
        found.check_new(at, rules::CHECK_AFTER_LASTS, lasts);
    }
    if let Some(job) = job {
        own_job(found, &format!("{at}.job"), job);
    }
    if let Some(http) = http {
        http_get(found, &format!("{at}.http"), http);
    }
    if let Some(query) = prometheus {
        prometheus_query(found, &format!("{at}.prometheus"), query);
    }
}

fn own_job(found: &mut Found, at: &str, job: &JobCheck) {
    let spec = &job.template.spec;
    let at = format!("{at}.template");
    if spec.containers.is_empty() {
        found.note(&format!("{at}.spec.containers"), "should have at least 1 items".to_owned());
    }
    if spec.containers.len() > 32 {
        found.note(&format!("{at}.spec.containers"), at_most(32));
    }
    for (number, JobContainer { name, image, others: _ }) in spec.containers.iter().enumerate() {
        let at = format!("{at}.spec.containers[{number}]");
        long(found, &format!("{at}.name"), name, 1..=63);
        long(found, &format!("{at}.image"), image.as_deref().unwrap_or_default(), 0..=1024);
    }
    let never = spec.restart_policy.as_deref().is_none_or(|policy| policy == "Never");
    found.check_new(&at, rules::CHECK_TEMPLATE_RESTART, never);
    let Some(TemplateMetadata { labels, annotations }) = &job.template.metadata else { return };
    let is_controllers =
        |key: &String| key.starts_with(rules::JOB_PREFIX) || key == "job-name" || key == "controller-uid";
    found.check_new(&at, rules::CHECK_TEMPLATE_LABELS, !labels.keys().any(is_controllers));
    for (field, keys) in [("labels", labels), ("annotations", annotations)] {
        let own = keys.keys().all(|key| !key.starts_with(rules::RESERVED_PREFIX));
        found.check_new(&format!("{at}.metadata.{field}"), rules::RESERVED_KEYS, own);
    }
}

fn http_get(found: &mut Found, at: &str, http: &HttpCheck) {
    let HttpCheck { path, scheme: _, http_headers, status, contains, max_milliseconds, .. } = http;
    let longest =
        |text: &Option<String>, most: usize| text.as_deref().is_none_or(|it| it.chars().count() <= most);
    for (field, text, most) in [("path", path, 2048), ("contains", contains, 256), ("status", status, 7)] {
        if !longest(text, most) {
            found.note(&format!("{at}.{field}"), format!("may not be more than {most} characters"));
        }
    }
    if http_headers.len() > 8 {
        found.note(&format!("{at}.httpHeaders"), at_most(8));
    }
    for (number, CheckHeader { name, value }) in http_headers.iter().enumerate() {
        let at = format!("{at}.httpHeaders[{number}]");
        long(found, &format!("{at}.name"), name, 1..=256);
        long(found, &format!("{at}.value"), value, 0..=4096);
        // An empty one is told of by its length.
        let is_token = name.is_empty() || is_header_name(name);
        found.check_new(&format!("{at}.name"), rules::CHECK_HEADER_NAME, is_token);
        let is_own = rules::HEADERS_OF_THE_CONNECTION.contains(&name.to_ascii_lowercase().as_str());
        found.check_new(&format!("{at}.name"), rules::CHECK_HEADER_OF_THE_CONNECTION, !is_own);
        let is_plain = !value.bytes().any(|byte| byte.is_ascii_control());
        found.check_new(&format!("{at}.value"), rules::CHECK_HEADER_VALUE, is_plain);
    }
    found.check_new(&format!("{at}.path"), rules::CHECK_PATH, path.as_deref().is_none_or(is_path));
    found.check_new(at, rules::CHECK_STATUS_SYNTAX, status.as_deref().is_none_or(is_status));
    if let Some(most) = max_milliseconds {
        found.within(&format!("{at}.maxMilliseconds"), i64::from(*most), 1..=i64::from(i32::MAX));
    }
}

fn prometheus_query(found: &mut Found, at: &str, query: &PrometheusCheck) {
    let PrometheusCheck { address, query, min, max, token_secret, ca, .. } = query;
    found.check_new(at, rules::CHECK_MIN_OR_MAX, min.is_some() || max.is_some());
    let is_range = number(min.as_deref()).zip(number(max.as_deref())).is_none_or(|(min, max)| min <= max);
    found.check_new(&format!("{at}.min"), rules::CHECK_MIN_BELOW_MAX, is_range);
    found.check_new(&format!("{at}.query"), rules::CHECK_QUERY_NAMES, has_known_names(query));
    found.check_new(&format!("{at}.address"), rules::CHECK_ADDRESS, is_address(address));
    long(found, &format!("{at}.address"), address, 0..=512);
    long(found, &format!("{at}.query"), query, 1..=4096);
    let keys = [
        token_secret.as_ref().map(|it| ("tokenSecret.name", &it.name, "tokenSecret.key", &it.key)),
        ca.as_ref().map(|it| ("ca.configMap", &it.config_map, "ca.key", &it.key)),
    ];
    for (object, name, field, key) in keys.into_iter().flatten() {
        long(found, &format!("{at}.{object}"), name, 1..=253);
        long(found, &format!("{at}.{field}"), key, 1..=253);
    }
    for (field, limit) in [("min", min), ("max", max)] {
        long(found, &format!("{at}.{field}"), limit.as_deref().unwrap_or_default(), 0..=32);
        let is_number = limit.as_deref().is_none_or(is_decimal);
        found.check_new(&format!("{at}.{field}"), rules::CHECK_DECIMAL, is_number);
    }
}

/// Checks how many characters a text has.
fn long(found: &mut Found, field: &str, text: &str, bounds: RangeInclusive<usize>) {
    if !bounds.contains(&text.chars().count()) {
        found.note(field, format!("must have {} to {} characters", bounds.start(), bounds.end()));
    }
}

fn pace_of(found: &mut Found, at: &str, pace: &Pace) {
    let Pace { delay_seconds, period_seconds, timeout_seconds, for_seconds, max_failures } = pace;
    let all = [
        ("delaySeconds", delay_seconds, 0..=3600),
        ("periodSeconds", period_seconds, 1..=600),
        ("timeoutSeconds", timeout_seconds, 1..=60),
        ("forSeconds", for_seconds, 0..=3600),
        ("maxFailures", max_failures, 0..=3600),
    ];
    for (field, value, bounds) in all {
        if let Some(value) = value {
            found.within(&format!("{at}.{field}"), i64::from(*value), bounds);
        }
    }
}
