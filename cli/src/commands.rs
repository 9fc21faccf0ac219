//! The commands: what is read, decided and shown, in this order.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use bluegreen_operator::api::BlueGreenApp;
use bluegreen_operator::config::{REVISION, VERSION};
use jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde::Serialize;
use serde_json::json;

use crate::args::{Cli, Command, Format, GetArgs, Global, LintArgs, ListArgs, PlanArgs, StatusArgs};
use crate::cluster::{Cluster, Doubt, RequestError, within};
use crate::exit::{End, Failure, Result};
use crate::goal::{Goal, NOT_NOTED};
use crate::line::{Line, Tone};
use crate::report::Report;
use crate::screen::{Look, Screen};
use crate::wait::wait;
use crate::{lint, look, manifest, manual, plan, progress, release, table, tree};

/// Between two looks of `get -w`.
const PAUSE: Duration = Duration::from_secs(1);

/// Carries out a command.
///
/// # Errors
/// [`Failure`] when it can't be carried out.
pub async fn run(cli: Cli) -> Result {
    let Cli { global, command } = cli;
    match command {
        Command::Get(args) => get(&global, &args).await,
        Command::List(args) => list(&global, &args).await,
        Command::Status(args) => status(&global, &args).await,
        Command::Deploy(args) => release::deploy(&global, &args).await,
        Command::Switch(args) => release::switch(&global, &args).await,
        Command::Rollback(args) => release::rollback(&global, &args).await,
        Command::Plan(args) => foresee(&global, &args).await,
        Command::Lint(args) => check(&global, &args),
        Command::Completion(args) => {
            manual::completion(args.shell, &mut std::io::stdout());
            Ok(End::Reached)
        }
        Command::Man(args) => {
            manual::man(&args.folder).with_context(|| args.folder.display().to_string())?;
            Ok(End::Reached)
        }
        Command::Version => {
            // Known to an image's build alone.
            let revision = if REVISION == "unknown" { String::new() } else { format!(" {REVISION}") };
            writeln!(std::io::stdout(), "{VERSION}{revision}")?;
            Ok(End::Reached)
        }
    }
}

/// Prints lines for people, or the same as data.
///
/// # Errors
/// When standard output can't be written to.
pub fn print(
    global: &Global,
    format: Format,
    lines: impl FnOnce(Look) -> Vec<Line>,
    data: &impl Serialize,
) -> Result<()> {
    let text = match format {
        Format::Text => {
            let look = Look::stdout(global.color);
            look.text(&lines(look))
        }
        Format::Json => serde_json::to_string_pretty(data).context("JSON")? + "\n",
        Format::Yaml => serde_yaml_ng::to_string(data).context("YAML")?,
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

async fn get(global: &Global, args: &GetArgs) -> Result {
    let cluster = Cluster::connect(global).await?;
    let mut doubt = Doubt::default();
    let objects = doubt.judge(look::objects(&cluster, &args.name).await);
    let objects = objects.map_err(|error| error.in_words(&args.name, &cluster.namespace))?;
    let report = Report::of(&objects, Timestamp::now());
    if args.watch {
        return watch(&cluster, global, args, report, doubt).await;
    }
    print(global, args.output, |look| tree::lines(&report, look.width, Timestamp::now()), &report)?;
    Ok(End::Reached)
}

/// Shows the app until the program is interrupted, or the app is gone. When the cluster can't be reached, what was seen
/// last stays, and a line says so.
async fn watch(
    cluster: &Cluster,
    global: &Global,
    args: &GetArgs,
    mut report: Report,
    mut doubt: Doubt,
) -> Result {
    let mut screen = Screen::new(std::io::stdout());
    let mut lost: Option<(Timestamp, String)> = None;
    let mut said = String::new();
    loop {
        let now = Timestamp::now();
        let look = Look::stdout(global.color);
        let mut lines = tree::lines(&report, look.width, now);
        if let Some((since, words)) = &lost {
            let since = tree::short_age(now.duration_since(*since).as_secs());
            lines.push(Line::new().add(format!("not reached for {since}, asking again: {words}"), Tone::Bad));
        }
        if look.height.is_some() && args.output == Format::Text {
            screen.draw(&lines, look)?;
        } else {
            // Ages alone are no news.
            let news = format!(
                "{:?} {}",
                lost.is_some(),
                serde_json::to_string(&ageless(&report)).unwrap_or_default()
            );
            if news != said {
                said = news;
                match (&lost, args.output) {
                    (Some((_, words)), Format::Json | Format::Yaml) => eprintln!("not reached: {words}"),
                    _ => print(global, args.output, |_| [lines, vec![Line::new()]].concat(), &report)?,
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
        match doubt.judge(look::objects(cluster, &args.name).await) {
            Ok(objects) => {
                report = Report::of(&objects, Timestamp::now());
                lost = None;
            }
            Err(RequestError::Passing(words)) => {
                lost = Some((lost.map_or_else(Timestamp::now, |(since, _)| since), words));
            }
            Err(error) => return Err(error.in_words(&args.name, &cluster.namespace).into()),
        }
    }
}

/// The report without what changes by itself.
fn ageless(report: &Report) -> Report {
    let mut report = report.clone();
    for service in
        report.service.iter_mut().chain(report.colors.iter_mut().filter_map(|c| c.service.as_mut()))
    {
        service.age = 0;
    }
    for set in report.colors.iter_mut().flat_map(|color| &mut color.replica_sets) {
        set.age = 0;
        set.pods.iter_mut().for_each(|pod| pod.age = 0);
    }
    report
}

async fn list(global: &Global, args: &ListArgs) -> Result {
    let cluster = Cluster::connect(global).await?;
    let api: Api<BlueGreenApp> =
        if args.all_namespaces { Api::all(cluster.client.clone()) } else { cluster.apps() };
    let mut params = ListParams::default();
    if let Some(selector) = &args.selector {
        params = params.labels(selector);
    }
    let found = within(api.list(&params)).await;
    let mut apps = found.map_err(|error| error.in_words("", &cluster.namespace))?.items;
    apps.sort_by_key(|app| (app.namespace(), app.name_any()));
    if apps.is_empty() && args.output == Format::Text {
        if args.all_namespaces {
            eprintln!("no apps found in any namespace");
        } else {
            eprintln!("no apps found in namespace {:?}", cluster.namespace);
        }
        return Ok(End::Reached);
    }
    let data = json!({ "apiVersion": "v1", "kind": "List", "items": apps });
    print(global, args.output, |_| table::lines(&apps, args.all_namespaces, Timestamp::now()), &data)?;
    Ok(End::Reached)
}

async fn status(global: &Global, args: &StatusArgs) -> Result {
    let cluster = Cluster::connect(global).await?;
    await_goal(&cluster, global, &args.name, args.goal, args.patience.timeout, args.output).await
}

/// Waits, and says how it ended.
///
/// # Errors
/// When the app is not there or may not be read.
pub async fn await_goal(
    cluster: &Cluster,
    global: &Global,
    name: &str,
    goal: Goal,
    limit: Duration,
    format: Format,
) -> Result {
    let waited = wait(cluster, name, goal, limit, global.color).await?;
    let took = progress::time(waited.took);
    let words = match waited.end {
        End::Reached => format!("{name} is {goal} after {took}: {}", waited.why),
        End::Failed => format!("{name} will not be {goal} without a change: {}", waited.why),
        End::TimedOut => {
            let unseen = waited.why.starts_with(NOT_NOTED);
            let hint = if unseen { "; is it running, and for this namespace?" } else { "" };
            format!("{name} is not {goal} after {took}: {}{hint}", waited.why)
        }
    };
    let data = json!({
        "name": name, "goal": goal.to_string(), "reached": waited.end == End::Reached,
        "timedOut": waited.end == End::TimedOut, "why": waited.why, "seconds": waited.took.as_secs_f64(),
    });
    match (waited.end, format) {
        (End::Failed | End::TimedOut, Format::Text) => eprintln!("error: {words}"),
        _ => print(global, format, |_| vec![Line::plain(words)], &data)?,
    }
    Ok(waited.end)
}

async fn foresee(global: &Global, args: &PlanArgs) -> Result {
    let wanted = manifest::app(&args.file)?;
    let start = match (&args.from, args.new) {
        (Some(from), _) => plan::Start::settled(manifest::app(from)?),
        (None, true) => plan::Start::nothing(),
        (None, false) => {
            let namespace = global.namespace.clone().or_else(|| wanted.namespace());
            let cluster = Cluster::connect(&Global { namespace, ..global.clone() }).await?;
            plan::read(&cluster, &wanted.name_any()).await?
        }
    };
    let foreseen = plan::foresee(start, wanted, Timestamp::now()).map_err(Failure::Usage)?;
    print(global, args.output, |look| plan::lines(&foreseen, look.width), &foreseen)?;
    Ok(if foreseen.good { End::Reached } else { End::Failed })
}

fn check(global: &Global, args: &LintArgs) -> Result {
    let mut found = Vec::new();
    let mut apps = 0;
    for file in &args.files {
        let documents =
            manifest::documents(&manifest::text(file)?).with_context(|| file.display().to_string())?;
        for document in documents.into_iter().filter(manifest::Document::is_app) {
            apps += 1;
            let name = document.object["metadata"]["name"].as_str().unwrap_or("?").to_owned();
            for problem in lint::check(&document.object) {
                found.push(json!({
                    "file": file, "document": document.number, "name": name, "field": problem.field,
                    "message": problem.message,
                }));
            }
        }
    }
    if apps == 0 {
        return Err(Failure::Usage("there is no BlueGreenApp in these files".to_owned()));
    }
    let text = |key: &str, problem: &serde_json::Value| problem[key].as_str().unwrap_or_default().to_owned();
    let lines = |_| {
        let mut lines: Vec<Line> = found
            .iter()
            .map(|problem| {
                Line::new()
                    .add(format!("{}: {}: ", text("file", problem), text("name", problem)), Tone::Dim)
                    .add(text("field", problem), Tone::Bad)
                    .add(format!(": {}", text("message", problem)), Tone::Plain)
            })
            .collect();
        if lines.is_empty() {
            lines.push(Line::plain(format!("{apps} of {apps} apps are as admission wants them")));
        }
        lines
    };
    // A message that is cut is of no use.
    match args.output {
        Format::Text => {
            let look = Look { width: usize::MAX, ..Look::stdout(global.color) };
            write!(std::io::stdout(), "{}", look.text(&lines(look)))?;
        }
        format => print(global, format, lines, &found)?,
    }
    Ok(if found.is_empty() { End::Reached } else { End::Failed })
}
