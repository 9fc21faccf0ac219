//! Creates the Jobs of a trial, waits for them, and deletes them, whatever happens.

use std::time::{Duration, Instant};

use bluegreen_api::{BlueGreenApp, Check, CheckResult, Color};
use bluegreen_client::careful::Careful;
use bluegreen_core::desired::{Asked, names, trial_job, trial_name};
use bluegreen_core::harmless::harmless;
use bluegreen_core::observe::{job_ended, job_result};
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::api::{DeleteParams, PostParams};

use super::{Subject, chosen, end, is_short_form, lines, patience, subject, verdict};
use crate::args::{CheckArgs, Global};
use crate::checker_image;
use crate::cluster::{Cluster, REQUEST, RequestError, within};
use crate::exit::{Failure, Result};
use crate::job_pods;
use crate::output::{print_whole, say};
use crate::progress::log_line;
use crate::shape::{CheckTrial, TriedCheck, shaped};
use crate::signals::interrupted;

/// Pause between two reads.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a Job runs before its pods are asked what holds them up, and how old an answer may be.
const LATE: Duration = Duration::from_secs(3);

/// How many bytes are told of why a check has its result.
const WORDS: usize = 800;

/// How often the deletion of a Job is tried.
const DELETIONS: usize = 3;

/// `check`.
///
/// # Errors
/// When there is nothing to check, or the color is not ready for it.
pub async fn check(global: &Global, args: &CheckArgs) -> Result {
    let cluster = Cluster::connect(global).await?;
    let app = cluster.app(&args.name).await?;
    let checks = chosen(&app, &args.only).map_err(Failure::Usage)?;
    let subject = subject(&app).map_err(|why| anyhow::anyhow!(why))?;
    let checker = match &args.check_image {
        Some(image) => image.clone(),
        None if checks.iter().any(|check| is_short_form(check)) => {
            checker_image::find(&cluster, &app).await.map_err(Failure::Usage)?
        }
        None => String::new(),
    };
    let limit = args.timeout.unwrap_or_else(|| patience(&checks));
    let mut trial = Trial::new(&cluster, &app, &subject, &checks, &checker).await;
    let is_interrupted = tokio::select! {
        () = trial.run(limit) => false,
        () = interrupted() => true,
    };
    let cleaned = tokio::select! {
        () = trial.delete() => true,
        () = interrupted() => false,
    };
    if is_interrupted || !cleaned {
        let words =
            if cleaned { "the Jobs of the trial are deleted" } else { "Jobs of the trial may be left" };
        return Err(Failure::Interrupted(words.to_owned()));
    }
    let tried: Vec<TriedCheck> = trial.attempts.into_iter().map(Attempt::tried).collect();
    let Subject { run, image } = subject;
    let told = CheckTrial {
        name: args.name.clone(),
        namespace: cluster.namespace.clone(),
        color: run.color,
        revision: run.revision,
        image,
        result: verdict(&tried),
        checks: tried,
    };
    print_whole(global, args.output, lines(&told), &shaped(&told))?;
    Ok(end(told.result))
}

/// The Jobs of one trial.
struct Trial<'a> {
    cluster: &'a Cluster,
    jobs: Api<Careful<Job>>,
    start: Instant,
    attempts: Vec<Attempt<'a>>,
}

/// One check, and what became of it.
struct Attempt<'a> {
    check: &'a Check,
    name: String,
    body: serde_json::Value,
    created: bool,
    asked: Option<Instant>,
    held: Option<String>,
    verdict: Option<(CheckResult, Option<String>)>,
    log: Vec<String>,
    took: Duration,
}

impl<'a> Trial<'a> {
    async fn new(
        cluster: &'a Cluster,
        app: &BlueGreenApp,
        subject: &Subject,
        checks: &[&'a Check],
        checker: &str,
    ) -> Self {
        let name = app.metadata.name.clone().unwrap_or_default();
        let address = address(cluster, &name, subject.run.color).await;
        let asked = Asked { image: &subject.image, address: address.as_deref(), checker };
        let nonce = format!("{} {}", Timestamp::now().as_nanosecond(), std::process::id());
        let attempt = |check: &&'a Check| {
            let job = trial_name(&name, check, &nonce);
            let body = trial_job(app, &subject.run, check, &asked, &job);
            Attempt {
                check,
                name: job,
                body,
                created: false,
                asked: None,
                held: None,
                verdict: None,
                log: Vec::new(),
                took: Duration::ZERO,
            }
        };
        Self {
            cluster,
            jobs: Api::namespaced(cluster.client.clone(), &cluster.namespace),
            start: Instant::now(),
            attempts: checks.iter().map(attempt).collect(),
        }
    }

    /// Runs all checks at the same time until each has a verdict, or the time is up.
    async fn run(&mut self, limit: Duration) {
        self.start = Instant::now();
        loop {
            for attempt in self.attempts.iter_mut().filter(|attempt| attempt.verdict.is_none()) {
                attempt.step(self.cluster, &self.jobs, self.start).await;
            }
            let passed = self.start.elapsed();
            if self.attempts.iter().all(|attempt| attempt.verdict.is_some()) {
                return;
            }
            if passed >= limit {
                for attempt in self.attempts.iter_mut().filter(|attempt| attempt.verdict.is_none()) {
                    let words = format!("There was no verdict within {} seconds", limit.as_secs());
                    attempt.is_over(self.cluster, CheckResult::Inconclusive, Some(words), self.start).await;
                }
                return;
            }
            tokio::time::sleep(PAUSE.min(limit.saturating_sub(passed))).await;
        }
    }

    /// Deletes every Job that may be there.
    async fn delete(&self) {
        for Attempt { name, .. } in &self.attempts {
            let mut last = None;
            for _ in 0..DELETIONS {
                match within(self.jobs.delete(name, &DeleteParams::background())).await {
                    Ok(_) => last = None,
                    Err(RequestError::Final(kube::Error::Api(status))) if status.code == 404 => last = None,
                    Err(error) => {
                        last = Some(error);
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    }
                }
                break;
            }
            if let Some(error) = last {
                let why = error.in_words(name, &self.cluster.namespace);
                say(format!(
                    "warning: Job {name} can't be deleted: {why:#}; delete it with `kubectl -n {} delete job {name}`",
                    self.cluster.namespace
                ));
            }
        }
    }
}

/// The ClusterIP of the Service that the operator would ask. Without the right to read it, its name must do.
async fn address(cluster: &Cluster, app: &str, color: Color) -> Option<String> {
    let services: Api<Careful<Service>> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let service = within(services.get(&names::color_service_name(app, color))).await.ok()?.0.ok()?;
    service.spec?.cluster_ip.filter(|address| !address.is_empty() && address != "None")
}

impl Attempt<'_> {
    /// Creates the Job, or reads what has become of it.
    async fn step(&mut self, cluster: &Cluster, jobs: &Api<Careful<Job>>, start: Instant) {
        if !self.created {
            return self.create(cluster, start).await;
        }
        match within(jobs.get(&self.name)).await {
            Ok(Careful(Ok(job))) => {
                let result = job_result(&job);
                if result.is_final() {
                    let words = job_ended(&job).and_then(|end| end.message.clone());
                    return self.is_over(cluster, result, words, start).await;
                }
                self.read_held(cluster, &job, start).await;
            }
            Ok(Careful(Err(why))) => {
                let words = format!("Job {} can't be read: {why}", self.name);
                self.is_over(cluster, CheckResult::Inconclusive, Some(words), start).await;
            }
            Err(RequestError::Passing(_)) => {}
            Err(RequestError::Final(kube::Error::Api(status))) if status.code == 404 => {
                let words = "Its Job was deleted before there was a verdict".to_owned();
                self.is_over(cluster, CheckResult::Inconclusive, Some(words), start).await;
            }
            Err(error) => {
                let words = format!("{:#}", error.in_words(&self.name, &cluster.namespace));
                self.is_over(cluster, CheckResult::Inconclusive, Some(words), start).await;
            }
        }
    }

    /// Creates the Job. Its name is this trial's alone, so one that is there already is the one that it asked for before.
    async fn create(&mut self, cluster: &Cluster, start: Instant) {
        let jobs: Api<Job> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
        let job: Job = match serde_json::from_value(self.body.clone()) {
            Ok(job) => job,
            Err(error) => {
                let words = format!("the Job can't be made from spec.checks: {error}");
                return self.is_over(cluster, CheckResult::Inconclusive, Some(words), start).await;
            }
        };
        let answer = tokio::time::timeout(REQUEST, jobs.create(&PostParams::default(), &job)).await;
        match answer {
            Ok(Ok(_)) => self.is_created(start),
            Ok(Err(kube::Error::Api(status))) if status.reason == "AlreadyExists" => self.is_created(start),
            Ok(Err(kube::Error::Api(status))) if (400..500).contains(&status.code) && status.code != 429 => {
                let words = format!("The API server refuses its Job: {}", status.message);
                self.is_over(cluster, CheckResult::Inconclusive, Some(words), start).await;
            }
            // Tried again until the time is up.
            Ok(Err(error)) => self.held = Some(format!("the Job can't be created: {error}")),
            Err(_) => self.held = Some("the Job can't be created: no answer".to_owned()),
        }
    }

    fn is_created(&mut self, start: Instant) {
        self.created = true;
        say(log_line(&format!("{} runs as job/{}", self.check.name, self.name), start.elapsed()));
    }

    /// Reads what holds the Job's pods up: at its deadline they are gone.
    async fn read_held(&mut self, cluster: &Cluster, job: &Job, start: Instant) {
        let asked = *self.asked.get_or_insert_with(Instant::now);
        if asked.elapsed() < LATE {
            return;
        }
        self.asked = Some(Instant::now());
        let held = job_pods::held(cluster, job).await;
        if let Some(words) = held.as_ref().filter(|_| held != self.held) {
            say(log_line(&format!("{}: {words}", self.check.name), start.elapsed()));
        }
        self.held = held;
    }

    async fn is_over(
        &mut self,
        cluster: &Cluster,
        result: CheckResult,
        words: Option<String>,
        start: Instant,
    ) {
        self.took = start.elapsed();
        if self.created {
            match job_pods::last_lines(cluster, &self.name).await {
                Ok(log) => self.log = log,
                Err(why) => {
                    say(format!("the log of job/{} can't be read: {}", self.name, harmless(&why, WORDS)))
                }
            }
        }
        let held = self.held.take().filter(|_| result == CheckResult::Inconclusive);
        let words: Vec<String> = words.into_iter().chain(held).map(|words| harmless(&words, WORDS)).collect();
        self.verdict = Some((result, (!words.is_empty()).then(|| words.join("; "))));
        say(log_line(&format!("{}: {}", self.check.name, result.as_str()), self.took));
    }

    fn tried(self) -> TriedCheck {
        let (result, message) = self.verdict.unwrap_or((CheckResult::Inconclusive, None));
        TriedCheck {
            name: self.check.name.clone(),
            enforced: self.check.enforce,
            job: self.name,
            result,
            message,
            log: self.log,
            seconds: self.took.as_secs_f64(),
        }
    }
}
