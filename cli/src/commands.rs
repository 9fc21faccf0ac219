//! The commands that only read. Those that edit an app are in [`release`].

use std::time::Duration;

use anyhow::Context;
use bluegreen_api::version::VERSION;
use jiff::Timestamp;
use kube::ResourceExt;

use crate::args::{Cli, Command, Format, GetArgs, GetFormat, Global, LintArgs, PlanArgs, StatusArgs};
use crate::cluster::{Cluster, Doubt, RequestError};
use crate::exit::{End, Failure, Result};
use crate::line::{Line, Tone};
use crate::output::{print, print_whole, say, shown};
use crate::screen::{Screen, Terminal};
use crate::shape::{LintProblem, LintResult, Version, shaped};
use crate::wait::await_goal;
use crate::{apps, dashboard, lint, manifest, manual, objects, plan, release, tree, trial};
use bluegreen_core::validate::Problem;
use bluegreen_view::{Objects, Report};

/// Pause between two reads of `get -w`.
const PAUSE: Duration = Duration::from_secs(1);

/// Carries out a command. `revision` is the source revision of this build, where it was told.
///
/// # Errors
/// [`Failure`] when it can't be carried out.
pub async fn run(cli: Cli, revision: Option<&str>) -> Result {
    let Cli { global, command } = cli;
    match command {
        Command::Get(args) => get(&global, &args).await,
        Command::List(args) => apps::list(&global, &args).await,
        Command::Status(args) => status(&global, &args).await,
        Command::Deploy(args) => release::deploy(&global, &args).await,
        Command::Switch(args) => release::switch(&global, &args).await,
        Command::Rollback(args) => release::rollback(&global, &args).await,
        Command::Pause(args) => release::pause(&global, &args, true).await,
        Command::Resume(args) => release::pause(&global, &args, false).await,
        Command::Plan(args) => foresee(&global, &args).await,
        Command::Check(args) => trial::run::check(&global, &args).await,
        Command::Dashboard(args) => dashboard::run(&global, &args).await,
        Command::Lint(args) => check(&global, &args),
        Command::Completion(args) => {
            manual::completion(args.shell, &mut std::io::stdout())?;
            Ok(End::Reached)
        }
        Command::Man(args) => {
            manual::man(&args.folder).with_context(|| args.folder.display().to_string())?;
            Ok(End::Reached)
        }
        Command::Version(args) => {
            let text = [Some(VERSION), revision].into_iter().flatten().collect::<Vec<_>>().join(" ");
            let version = Version { version: VERSION.to_owned(), revision: revision.map(str::to_owned) };
            print(&global, args.output, |_| vec![Line::plain(text)], &shaped(&version))?;
            Ok(End::Reached)
        }
    }
}

async fn get(global: &Global, args: &GetArgs) -> Result {
    let cluster = Cluster::connect(global).await?;
    let mut doubt = Doubt::default();
    let objects = doubt.judge(objects::read(&cluster, &args.name).await);
    let objects = objects.map_err(|error| error.in_words(&args.name, &cluster.namespace))?;
    if args.watch {
        return watch(&cluster, global, args, objects, doubt).await;
    }
    show(global, args.output, &objects, |report, terminal| {
        tree::lines(report, terminal.width, Timestamp::now())
    })?;
    Ok(End::Reached)
}

/// Prints an app: the object, the report, or `lines` of the report.
fn show(
    global: &Global,
    format: GetFormat,
    objects: &Objects,
    lines: impl FnOnce(&Report, Terminal) -> Vec<Line>,
) -> Result<()> {
    let report = Report::of(objects, Timestamp::now());
    match format {
        GetFormat::Text => print(global, Format::Text, |terminal| lines(&report, terminal), &shaped(&report)),
        GetFormat::Report => print(global, Format::Json, |_| Vec::new(), &shaped(&report)),
        GetFormat::Json => print(global, Format::Json, |_| Vec::new(), &shown(&objects.app)),
        GetFormat::Yaml => print(global, Format::Yaml, |_| Vec::new(), &shown(&objects.app)),
    }
}

/// Shows the app until the program is interrupted, or the app is gone. While the cluster can't be reached, what was read
/// last stays, and a line says so.
async fn watch(
    cluster: &Cluster,
    global: &Global,
    args: &GetArgs,
    mut objects: Objects,
    mut doubt: Doubt,
) -> Result {
    let mut screen = Screen::new(std::io::stdout());
    let mut lost: Option<(Timestamp, String)> = None;
    let mut printed = String::new();
    loop {
        let now = Timestamp::now();
        let terminal = Terminal::stdout(global.color);
        let mut lines = tree::lines(&Report::of(&objects, now), terminal.width, now);
        if let Some((since, why)) = &lost {
            let since = tree::short_age(now.duration_since(*since).as_secs());
            lines.push(Line::new().add(format!("no connection for {since}, retrying: {why}"), Tone::Bad));
        }
        if terminal.height.is_some() && args.output == GetFormat::Text {
            screen.draw(&lines, terminal)?;
        } else {
            let news = news(&objects, args.output, lost.is_some());
            if news != printed {
                printed = news;
                match (&lost, args.output) {
                    (Some((_, why)), GetFormat::Json | GetFormat::Yaml | GetFormat::Report) => {
                        say(format!("no connection: {why}"));
                    }
                    (None, _) | (Some(_), GetFormat::Text) => {
                        show(global, args.output, &objects, |_, _| [lines, vec![Line::new()]].concat())?;
                    }
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
        match doubt.judge(objects::read(cluster, &args.name).await) {
            Ok(found) => {
                objects = found;
                lost = None;
            }
            Err(RequestError::Passing(why)) => {
                lost = Some((lost.map_or_else(Timestamp::now, |(since, _)| since), why));
            }
            Err(error) => return Err(error.in_words(&args.name, &cluster.namespace).into()),
        }
    }
}

/// What is printed, without what changes by itself: it is printed again only if this differs.
fn news(objects: &Objects, format: GetFormat, is_lost: bool) -> String {
    let text = match format {
        GetFormat::Json | GetFormat::Yaml => serde_json::to_string(&objects.app),
        GetFormat::Text | GetFormat::Report => {
            serde_json::to_string(&Report::of(objects, Timestamp::now()).ageless())
        }
    };
    format!("{is_lost} {}", text.unwrap_or_default())
}

async fn status(global: &Global, args: &StatusArgs) -> Result {
    let cluster = Cluster::connect(global).await?;
    await_goal(&cluster, global, &args.name, args.goal, args.patience.timeout, args.output).await
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
    print(global, args.output, |terminal| plan::lines(&foreseen, terminal.width), &shaped(&foreseen))?;
    Ok(if foreseen.good { End::Reached } else { End::Failed })
}

fn check(global: &Global, args: &LintArgs) -> Result {
    let mut read = Vec::new();
    for file in &args.files {
        let documents =
            manifest::documents(&manifest::text(file)?).with_context(|| file.display().to_string())?;
        read.extend(documents.into_iter().map(|document| (file, document)));
    }
    let objects: Vec<_> = read.iter().map(|(_, document)| document.object.clone()).collect();
    let mut found = Vec::new();
    let mut warned = Vec::new();
    let mut apps = 0;
    for (file, document) in read.iter().filter(|(_, document)| document.is_app()) {
        apps += 1;
        let name = document.object["metadata"]["name"].as_str().unwrap_or("?");
        let told = |Problem { field, message }| LintProblem {
            file: file.display().to_string(),
            document: document.number,
            name: name.to_owned(),
            field,
            message,
        };
        found.extend(lint::check(&document.object).into_iter().map(told));
        if let Ok(app) = serde_json::from_value(document.object.clone()) {
            warned.extend(lint::warnings(&app, &objects).into_iter().map(told));
        }
    }
    if apps == 0 {
        return Err(Failure::Usage("there is no BlueGreenApp in these files".to_owned()));
    }
    let result = LintResult { apps, problems: found, warnings: warned };
    let line = |LintProblem { file, name, field, message, .. }: &LintProblem, tone: Tone| {
        Line::new()
            .add(format!("{file}: {name}: "), Tone::Dim)
            .add(field, tone)
            .add(format!(": {message}"), Tone::Plain)
    };
    let mut lines: Vec<Line> = result.problems.iter().map(|problem| line(problem, Tone::Bad)).collect();
    let warning = |problem| Line::new().add("warning: ", Tone::Busy).join(line(problem, Tone::Busy));
    lines.extend(result.warnings.iter().map(warning));
    if result.problems.is_empty() {
        lines.push(Line::plain(format!("{apps} of {apps} apps are valid")));
    }
    print_whole(global, args.output, lines, &shaped(&result))?;
    Ok(if result.problems.is_empty() { End::Reached } else { End::Failed })
}
