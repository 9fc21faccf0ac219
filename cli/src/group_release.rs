//! `switch --selector`: several apps switch together, or go back together.

use std::time::Duration;

use bluegreen_api::BlueGreenApp;
use kube::ResourceExt;
use tokio::task::JoinSet;

use crate::apps;
use crate::args::{DryRun, Format, Global, SwitchArgs};
use crate::change::{BACK, Changed, Lost, ask_back, change};
use crate::cluster::Cluster;
use crate::edit::Edit;
use crate::exit::{End, Failure, Result};
use crate::goal::{Goal, Verdict};
use crate::group::{self, Wish};
use crate::line::{Line, Tone};
use crate::output::{print_whole, say};
use crate::progress::log_line;
use crate::shape::{GroupMember, GroupSwitch, MemberState, shaped};
use crate::signals::interrupted;
use crate::wait::{Waited, wait_telling};

/// One app of the group.
struct Member {
    app: BlueGreenApp,
    edit: Edit,
    /// The edit that was sent, if the app was not at its target already. Its result may be unknown.
    sent: Option<Changed>,
    state: MemberState,
    why: String,
    /// What to know of the edit.
    notes: Vec<String>,
    /// The edit may be on its way.
    sending: bool,
}

impl Member {
    fn set(&mut self, state: MemberState, why: impl Into<String>) {
        (self.state, self.why) = (state, why.into());
    }
}

/// Switches all apps that match, if each of them can, and with `--rollback-on-failure` takes all of them back if one fails.
///
/// # Errors
/// [`Failure`] when it can't be carried out.
pub async fn switch(global: &Global, args: &SwitchArgs, selector: &str) -> Result {
    let dry_run = match args.edit.dry_run {
        Some(DryRun::Client) => {
            return Err(Failure::Usage(
                "--dry-run=client is for --filename: use --dry-run=server".to_owned(),
            ));
        }
        Some(DryRun::Server) => true,
        None => false,
    };
    let cluster = Cluster::connect(global).await?;
    let wish = Wish { color: args.color.map(|color| color.0), tag: args.tag.as_deref(), count: args.count };
    let result = |members: Vec<GroupMember>, end: End| GroupSwitch {
        selector: selector.to_owned(),
        namespace: cluster.namespace.clone(),
        switched: end == End::Reached && members.iter().all(|member| member.state == MemberState::Switched),
        apps: members,
    };
    let mut found = apps::read(&cluster, false, Some(selector)).await?;
    if let Some(why) = found.unreadable.first() {
        return Err(anyhow::anyhow!("{why}, so no app was touched").into());
    }
    found.apps.sort_by_key(ResourceExt::name_any);
    let edits = match group::edits(&found.apps, wish) {
        Ok(edits) => edits,
        Err((why, members)) => {
            show(global, args.edit.output, &result(members, End::Failed))?;
            return Err(anyhow::anyhow!("{why}").into());
        }
    };
    let member = |(app, edit): (BlueGreenApp, Edit)| {
        let why = edit.what.clone();
        Member {
            app,
            edit,
            sent: None,
            state: MemberState::Untouched,
            why,
            notes: Vec::new(),
            sending: false,
        }
    };
    let mut members: Vec<Member> = found.apps.into_iter().zip(edits).map(member).collect();
    let ended = tokio::select! {
        end = carry_out(&cluster, &mut members, args, wish, dry_run) => Some(end),
        () = interrupted() => None,
    };
    let told = members.iter().map(|it| GroupMember {
        notes: it.notes.clone(),
        ..group::member(&it.app, Some(&it.edit), it.state, it.why.clone())
    });
    let told = result(told.collect(), ended.unwrap_or(End::Failed));
    show(global, args.edit.output, &told)?;
    match ended {
        Some(end) => Ok(end),
        None if dry_run => Err(Failure::Interrupted("nothing was changed".to_owned())),
        None => Err(Failure::Interrupted(ways_back(&cluster.namespace, &members))),
    }
}

/// Carries out the switch of all apps: all that may leave some of them moved and others not.
async fn carry_out(
    cluster: &Cluster,
    members: &mut [Member],
    args: &SwitchArgs,
    wish: Wish<'_>,
    dry_run: bool,
) -> End {
    let limit = args.edit.patience.timeout;
    let mut end = send(cluster, members, wish, dry_run).await;
    if end == End::Reached && args.edit.wait {
        end = wait_for_all(cluster, members, limit, args.rollback_on_failure).await;
    }
    if end != End::Reached && args.rollback_on_failure {
        take_back(cluster, members, limit.max(BACK)).await;
    }
    end
}

/// What an interruption leaves: nobody takes anything back now, so the commands that do are told, for each app by itself. As a group,
/// one that can't go back would keep all others where they are.
fn ways_back(namespace: &str, members: &[Member]) -> String {
    let is_left = |member: &&Member| member.sending || member.sent.is_some();
    let left = members.iter().filter(is_left).filter(|member| member.state != MemberState::TakenBack);
    let way = |member: &Member| {
        let name = member.app.name_any();
        let before = member.sent.as_ref().and_then(|sent| sent.before["active"].as_str());
        let before = before.map_or_else(|| member.app.spec.active.to_string(), str::to_owned);
        let perhaps = if member.sending { "    # it is not known whether its edit was stored" } else { "" };
        format!("  kubectl bluegreen -n {namespace} switch {name} --to {before}{perhaps}")
    };
    let ways: Vec<String> = left.map(way).collect();
    if ways.is_empty() {
        return "no app was changed".to_owned();
    }
    let (left, all) = (ways.len(), members.len());
    format!("{left} of {all} apps were edited, and are not taken back; to go back:\n{}", ways.join("\n"))
}

/// Sends the edits, one after the other, until one fails. Each is decided anew on the app as it is then.
async fn send(cluster: &Cluster, members: &mut [Member], wish: Wish<'_>, dry_run: bool) -> End {
    for member in members {
        let name = member.app.name_any();
        member.sending = !dry_run && member.edit.patch.is_some();
        let changed = change(cluster, &name, dry_run, |app| group::edit(app, wish)).await;
        member.sending = false;
        match changed {
            Ok(changed) => {
                let what = changed.edit.what.clone();
                say(format!("{name}: {what}"));
                let note = changed.edit.note.as_ref().filter(|_| changed.edit.patch.is_some());
                let notes = [("note", note.cloned()), ("warning", changed.warning())];
                for (kind, words) in notes.into_iter().filter_map(|(kind, words)| Some((kind, words?))) {
                    say(format!("{name}: {kind}: {words}"));
                    member.notes.push(words);
                }
                member.edit = changed.edit.clone();
                member.sent = changed.edit.patch.is_some().then_some(changed);
                member.set(if dry_run { MemberState::DryRun } else { MemberState::Requested }, what);
            }
            Err(error) => {
                member.sent = error.downcast_ref::<Lost>().map(|lost| (*lost.changed).clone());
                say(format!("error: {name}: {error:#}"));
                member.set(MemberState::Failed, format!("{error:#}"));
                return End::Failed;
            }
        }
    }
    End::Reached
}

/// Waits for all apps at the same time. `until_one_fails`: what the others do does not matter any more then.
async fn wait_for_all(
    cluster: &Cluster,
    members: &mut [Member],
    limit: Duration,
    until_one_fails: bool,
) -> End {
    let mut waits = JoinSet::new();
    for (index, member) in members.iter().enumerate() {
        waits.spawn(wait_for_one(cluster.clone(), index, member.app.name_any(), member.edit.goal, limit));
    }
    let mut ends = Vec::new();
    while let Some(waited) = waits.join_next().await {
        let Ok((index, waited)) = waited else { continue };
        let (end, why) = match waited {
            Ok(waited) => (waited.end, waited.why),
            Err(error) => (End::Failed, format!("{error:#}")),
        };
        ends.push(end);
        if let Some(member) = members.get_mut(index) {
            let state = if end == End::Reached { MemberState::Switched } else { MemberState::Failed };
            member.set(state, why);
        }
        if end != End::Reached && until_one_fails {
            // Those that have not ended are taken back with the others.
            break;
        }
    }
    waits.shutdown().await;
    group::end(&ends)
}

async fn wait_for_one(
    cluster: Cluster,
    index: usize,
    name: String,
    goal: Goal,
    limit: Duration,
) -> (usize, anyhow::Result<Waited>) {
    let mut said = String::new();
    let waited = wait_telling(&cluster, &name, goal, limit, |_, verdict, warning, clock| {
        let mark = match verdict {
            Verdict::Reached(_) => "reached: ",
            Verdict::Waiting(_) => "",
            Verdict::Failed(_) => "failed: ",
        };
        let warning = warning.map(|warning| format!("; {warning}")).unwrap_or_default();
        let words = format!("{name}: {mark}{}{warning}", verdict.why());
        if words != said {
            say(log_line(&words, clock.passed));
            said = words;
        }
        Ok(())
    });
    (index, waited.await)
}

/// Takes back each edit that was sent, whatever became of it, at the same time.
async fn take_back(cluster: &Cluster, members: &mut [Member], limit: Duration) {
    let mut backs = JoinSet::new();
    for (index, member) in members.iter().enumerate() {
        let Some(sent) = member.sent.clone() else { continue };
        let (cluster, name) = (cluster.clone(), member.app.name_any());
        backs.spawn(async move {
            let back = match ask_back(&cluster, &name, &sent, limit).await {
                Ok(Some(back)) => {
                    say(format!("{name}: {}", back.edit.what));
                    wait_for_one(cluster, index, name, back.edit.goal, limit).await.1
                }
                Ok(None) => Err(anyhow::anyhow!("there was nothing to take back")),
                Err(error) => Err(error),
            };
            (index, back)
        });
    }
    for member in members.iter_mut().filter(|member| member.sent.is_none()) {
        if member.state != MemberState::Failed {
            member.set(MemberState::Untouched, "it was not edited");
        }
    }
    while let Some(back) = backs.join_next().await {
        let Ok((index, back)) = back else { continue };
        let Some(member) = members.get_mut(index) else { continue };
        let failed = if member.state == MemberState::Failed {
            format!("; it failed: {}", member.why)
        } else {
            String::new()
        };
        match back {
            Ok(Waited { end: End::Reached, why, .. }) => member.set(MemberState::TakenBack, why + &failed),
            Ok(Waited { why, .. }) => member.set(MemberState::NotTakenBack, why + &failed),
            Err(error) => member.set(MemberState::NotTakenBack, format!("{error:#}{failed}")),
        }
    }
}

/// The apps, one line each.
fn show(global: &Global, format: Format, result: &GroupSwitch) -> Result<()> {
    let tone = |state: MemberState| match state {
        MemberState::Switched => Tone::Good,
        MemberState::Requested | MemberState::DryRun | MemberState::TakenBack => Tone::Busy,
        MemberState::Refused | MemberState::Failed | MemberState::NotTakenBack => Tone::Bad,
        MemberState::Untouched => Tone::Dim,
    };
    let line = |member: &GroupMember| {
        let to = member.to.as_deref().unwrap_or("?");
        Line::new()
            .add(format!("{}/{}: ", result.namespace, member.name), Tone::Strong)
            .add(format!("{} → {to}: ", member.from), Tone::Plain)
            .add(member.state.word(), tone(member.state))
            .add(format!(": {}", member.why), Tone::Plain)
    };
    print_whole(global, format, result.apps.iter().map(line).collect(), &shaped(result))
}
