//! A run as it was recorded, told as the model's replay understands it.
//!
//! Two witnesses: the watches of the record, which tell of every write in the order of resourceVersions; and the proxy,
//! through which the operator speaks, which has each read with the version that was read, and each write with what
//! became of it. From both the order of everything follows, but for reads: each lies between the write that it saw and
//! the next one of that object.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bluegreen_api::{Color, PerColor};
use bluegreen_core::desired::names;
use bluegreen_model::objects::{App, Object};
use bluegreen_model::picture::{Behind, Picture};
use bluegreen_model::replay::{Event, Seen, Writer};
use bluegreen_model::request::Ask;
use serde_json::Value;

use crate::e2e::harness::Kind;
use crate::e2e::harness::record::Event as Write;
use crate::looks::{Fate, Look, Sent, decision, span_of_slice};
use crate::read::{self, Reader};

/// One write that the model knows of, and what everything looks like after it.
pub struct Change {
    /// What was written.
    pub object: Object,
    /// The write.
    pub write: Write,
    /// After it.
    pub after: Picture,
    /// The spec was edited.
    edited: bool,
    /// The test did it.
    foreign: bool,
}

/// All that is needed to tell what an app looks like.
struct Builder<'a> {
    reader: &'a Reader,
    /// The objects by kind and name, and which write made them.
    objects: BTreeMap<(Kind, String), (u64, Arc<Value>)>,
    app: App,
}

/// The changes of one app, from its creation on.
pub fn changes(reader: &Reader, writes: &[Write], foreign: impl Fn(u64) -> bool) -> Result<Vec<Change>> {
    let first = writes.iter().find(|w| w.kind == Kind::App && w.name == reader.name).context("the app")?;
    let mut builder = Builder { reader, objects: BTreeMap::new(), app: reader.app(&first.object, None)? };
    let mut changes = Vec::new();
    for write in writes.iter().filter(|write| write.version >= first.version) {
        if write.kind == Kind::App && write.name == reader.name && write.deleted {
            break;
        }
        let before = builder.app;
        builder.put(write)?;
        let Some(object) = builder.object(write) else { continue };
        let spec = |app: App| App { status: before.status, ..app };
        let edited = spec(builder.app) != spec(before);
        let foreign = foreign(write.version);
        changes.push(Change { object, write: write.clone(), after: builder.picture(), edited, foreign });
    }
    Ok(changes)
}

impl Builder<'_> {
    fn put(&mut self, write: &Write) -> Result<()> {
        if write.kind == Kind::App && write.name == self.reader.name {
            self.app = self.reader.app(&write.object, Some(&self.app))?;
        }
        let key = (write.kind, write.name.clone());
        if write.deleted {
            self.objects.remove(&key);
            return Ok(());
        }
        let same = |object: &Value| object["metadata"]["uid"] == write.object["metadata"]["uid"];
        let made = self.objects.get(&key).filter(|(_, object)| same(object)).map(|(made, _)| *made);
        self.objects.insert(key, (made.unwrap_or(write.version), write.object.clone()));
        Ok(())
    }

    /// What the model calls it.
    fn object(&self, write: &Write) -> Option<Object> {
        let rest = write.name.strip_prefix(self.reader.name.as_str());
        match write.kind {
            Kind::App => (rest == Some("")).then_some(Object::App),
            Kind::Service => (rest == Some("")).then_some(Object::Service),
            Kind::Deployment => rest?.strip_prefix('-').and_then(Color::parse).map(Object::Deployment),
            Kind::Revision => rest.map(|_| Object::Stored),
            Kind::Slice => {
                let service = write.object["metadata"]["labels"]["kubernetes.io/service-name"].as_str()?;
                service.starts_with(self.reader.name.as_str()).then_some(Object::Slices)
            }
            Kind::Pod | Kind::Job => None,
        }
    }

    fn get(&self, kind: Kind, name: &str) -> Option<&(u64, Arc<Value>)> {
        self.objects.get(&(kind, name.to_owned()))
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &(u64, Arc<Value>)> {
        self.objects.iter().filter(move |((of, _), _)| *of == kind).map(|(_, object)| object)
    }

    fn picture(&self) -> Picture {
        let reader = self.reader;
        let name = reader.name.as_str();
        let deployment = |color| self.get(Kind::Deployment, &names::deployment_name(name, color));
        let mut picture = Picture {
            app: self.app,
            service: self.get(Kind::Service, name).map(|(_, service)| reader.service(service)),
            deployments: PerColor::from_fn(|color| deployment(color).map(|(_, d)| reader.deployment(d))),
            stored: PerColor::default(),
            live: self.behind(name),
            own: PerColor::from_fn(|color| {
                deployment(color).map_or(0, |(made, deployment)| self.own(color, *made, deployment))
            }),
        };
        for (_, revision) in self.of_kind(Kind::Revision) {
            if let Some((color, number, kept)) = reader.revision(revision) {
                picture.stored.get_mut(color)[usize::from(number) - 1] = Some(kept);
            }
        }
        picture
    }

    fn slices(&self, service: &str) -> impl Iterator<Item = &Value> {
        self.of_kind(Kind::Slice)
            .map(|(_, slice)| slice.as_ref())
            .filter(move |slice| slice["metadata"]["labels"]["kubernetes.io/service-name"] == service)
    }

    /// A pod that its color's own slices have dropped already is about to go here too; until it does, the endpoints have
    /// not moved for the operator, and the model has no such pods.
    fn behind(&self, name: &str) -> Behind {
        let own = Color::ALL.map(|color| names::color_service_name(name, color));
        let listed: BTreeSet<&str> = own
            .iter()
            .flat_map(|service| self.slices(service))
            .flat_map(read::endpoints)
            .map(|e| e.1)
            .collect();
        let live = || self.slices(name).flat_map(read::endpoints);
        if live().any(|(_, pod, _)| !listed.contains(pod)) {
            Behind::Both
        } else {
            read::behind(name, live())
        }
    }

    /// Ready pods of the Deployment's template in the color's own slices, that were made after it and are to stay.
    fn own(&self, color: Color, made: u64, deployment: &Value) -> u8 {
        let template = &deployment["spec"]["template"];
        let revision = &template["metadata"]["labels"][names::REVISION];
        let stays = |pod: &Value| {
            pod["metadata"]["deletionTimestamp"].is_null()
                && pod["metadata"]["labels"][names::REVISION] == *revision
                && read::content(pod) == read::content(template)
        };
        let counts = |pod: &str| self.get(Kind::Pod, pod).is_some_and(|(at, pod)| *at > made && stays(pod));
        let service = names::color_service_name(&self.reader.name, color);
        let listed = self.slices(&service).flat_map(read::endpoints);
        u8::try_from(listed.filter(|(pod, _, ready)| *ready && counts(pod)).count()).unwrap_or(u8::MAX)
    }
}

/// When a look was made: what of it happens after how many changes.
struct Times {
    begin: usize,
    reads: Vec<(usize, Object)>,
    plan: usize,
}

/// Something that is no change, after so many of them.
struct Item {
    at: usize,
    event: Event,
    words: String,
}

/// Tells the whole run.
pub fn tell(changes: &[Change], looks: &[Look]) -> Result<Vec<Seen>> {
    let mut items = Vec::new();
    let mut writers = BTreeMap::new();
    let mut open: Vec<(Event, String)> = Vec::new();
    let mut planned = 0;
    for (index, look) in looks.iter().enumerate() {
        let times = if look.from_caches {
            creation(changes, look, planned)
        } else {
            times(changes, look, planned).with_context(|| format!("look {index}: {}", look.words()))?
        };
        planned = times.plan;
        let mut push = |at, event, words: &str| items.push(Item { at, event, words: words.to_owned() });
        for (event, words) in open.drain(..) {
            push(times.begin, event, &words);
        }
        let before = if index == 0 { look.process } else { looks[index - 1].process };
        for _ in before..look.process {
            push(times.begin, Event::Crash(0), "the operator is killed, and leads again");
        }
        let (begins, how) = match look.confirms {
            Some(to) => (Event::Confirm(0, to), " by name"),
            None => (Event::Begin(0), ""),
        };
        if !look.from_caches {
            push(times.begin, begins, &format!("the operator begins to read{how} ({})", look.words()));
        }
        for (at, object) in &times.reads {
            push(*at, Event::Read(0, *object), &format!("it reads {object:?}"));
        }
        let last = looks.get(index + 1).is_some_and(|next| next.process != look.process);
        let rounds: Vec<&[Sent]> = [&look.sent].into_iter().chain(&look.follow).map(Vec::as_slice).collect();
        let mut at = times.plan;
        for (number, sent) in rounds.iter().enumerate() {
            let is_last = last && number + 1 == rounds.len();
            let told = look.told(sent, is_last);
            let is_first = look.from_caches && number == 0;
            push(at, if is_first { Event::Create(0, told) } else { Event::Plan(0, told) }, &decision(sent));
            // What follows a report is sent only when that has been answered; what follows from answers, after all of them.
            let (mut after, mut answered) = (at, at);
            for sent in *sent {
                let written = fate(sent, changes, after, &mut writers, &mut open, &mut push)?;
                answered = answered.max(written.map_or(0, |index| index + 1));
                if let (Some(Ask::Status(..)), Some(index), true) = (sent.ask, written, sent.heard) {
                    after = after.max(index + 1);
                }
            }
            at = answered;
            if number + 1 < rounds.len() {
                open.drain(..).for_each(|(event, words)| push(at, event, &words));
            }
            planned = planned.max(at);
        }
    }
    for (event, words) in open {
        items.push(Item { at: changes.len(), event, words });
    }
    merge(changes, items, &writers)
}

/// What became of a request that was sent after so many changes: either it is one of them, which is returned, or
/// something is heard of it.
fn fate(
    sent: &Sent,
    changes: &[Change],
    after: usize,
    writers: &mut BTreeMap<usize, Writer>,
    open: &mut Vec<(Event, String)>,
    push: &mut impl FnMut(usize, Event, &str),
) -> Result<Option<usize>> {
    let Some(ask) = sent.ask else {
        if !sent.heard {
            push(after, Event::UnansweredOutside(0, sent.removes), &sent.words);
        }
        return Ok(None);
    };
    if !sent.heard {
        push(after, Event::Unanswered(0, ask), &format!("no answer to {}", sent.words));
    }
    let is_it = |change: &Change| match sent.fate {
        Fate::Committed(version) => change.write.version == version && is_about(ask, change),
        Fate::Deleted => change.write.deleted && sent.deletes(&change.write.object),
        Fate::Unchanged | Fate::Refused | Fate::Never => false,
    };
    match sent.fate {
        Fate::Committed(_) | Fate::Deleted => {
            let writer = if sent.heard { Writer::Operator(0, ask) } else { Writer::Late(ask) };
            let index = changes.iter().position(is_it);
            let index = index.with_context(|| format!("{} is not among the changes", sent.words))?;
            writers.insert(index, writer);
            return Ok(Some(index));
        }
        Fate::Unchanged if sent.heard => open.push((Event::Unchanged(0, ask), sent.words.clone())),
        Fate::Refused if sent.heard => open.push((Event::Refused(0, ask), sent.words.clone())),
        Fate::Unchanged | Fate::Refused | Fate::Never => {}
    }
    Ok(None)
}

fn is_about(ask: Ask, change: &Change) -> bool {
    bluegreen_model::replay::object(ask) == change.object
}

/// When an app was created without any read: right before the first of its objects was.
fn creation(changes: &[Change], look: &Look, planned: usize) -> Times {
    let made = look.sent.iter().filter_map(|sent| match sent.fate {
        Fate::Committed(version) => changes.iter().position(|change| change.write.version == version),
        Fate::Deleted | Fate::Unchanged | Fate::Refused | Fate::Never => None,
    });
    let at = made.min().unwrap_or_default().max(planned).max(1);
    Times { begin: at, reads: Vec::new(), plan: at }
}

/// When it was read, given which versions, and after how many changes the look before it was planned on.
fn times(changes: &[Change], look: &Look, planned: usize) -> Result<Times> {
    let mut spans = Vec::new();
    let (_, slices) = look.readings().find(|(object, _)| *object == Object::Slices).context("no slices")?;
    let slices = match look.confirms {
        Some(_) => span_of_slice(slices, changes)?,
        None => slices.span(changes, Object::Slices, changes.len())?,
    };
    for (object, reading) in look.readings() {
        let span = match object {
            Object::Slices => slices,
            _ => reading.span(changes, object, slices.0)?,
        };
        spans.push((object, span));
    }
    let begin = spans.iter().map(|(_, (_, until))| *until).min().context("no reads")?;
    // One look follows the other. The versions alone do not tell: one by name may read what has not changed for long.
    let plan = spans.iter().map(|(_, (from, _))| *from).max().context("no reads")?.max(planned);
    // At once, if it could have been.
    let begin = begin.min(plan);
    let mut reads: Vec<_> = spans
        .iter()
        .filter(|(_, (from, _))| *from > begin)
        .map(|(object, (from, _))| (*from, *object))
        .collect();
    reads.sort_by_key(|(at, _)| *at);
    Ok(Times { begin, reads, plan })
}

fn merge(changes: &[Change], mut items: Vec<Item>, writers: &BTreeMap<usize, Writer>) -> Result<Vec<Seen>> {
    let start = changes.first().context("no changes")?.write.at;
    items.sort_by_key(|item| item.at);
    let mut run = Vec::new();
    let mut items = items.into_iter().peekable();
    ensure!(items.peek().is_none_or(|item| item.at > 0), "something was read before the app was made");
    for (index, change) in changes.iter().enumerate() {
        // The first change is where the model begins.
        if index > 0 {
            let at = change.write.at.saturating_duration_since(start);
            let writer = writers.get(&index).cloned().unwrap_or_else(|| change.by_others());
            run.push(Seen {
                words: change.words(at, &writer),
                event: Event::Changed(change.object, writer),
                after: change.after,
            });
        }
        while let Some(item) = items.next_if(|item| item.at == index + 1) {
            run.push(Seen { event: item.event, words: item.words, after: change.after });
        }
    }
    ensure!(items.next().is_none(), "something is left over");
    Ok(run)
}

impl Change {
    /// Not one of the operator's requests that the model knows.
    fn by_others(&self) -> Writer {
        match self.object {
            Object::App if self.edited => Writer::User,
            Object::App => Writer::Other,
            _ if self.foreign => Writer::Stranger,
            _ => Writer::Other,
        }
    }

    fn words(&self, at: Duration, writer: &Writer) -> String {
        let by = match writer {
            Writer::Operator(_, ask) => format!("the operator: {}", bluegreen_model::replay::words(*ask)),
            Writer::Late(ask) => format!("late, the operator: {}", bluegreen_model::replay::words(*ask)),
            Writer::Other => "Kubernetes, or nothing that the model knows".to_owned(),
            Writer::User => {
                let App { active, tags, present, shared, replicas, rolling, paused, .. } = self.after.app;
                let block = |color: Color| {
                    if *present.get(color) { format!("v{}", tags.get(color)) } else { "none".to_owned() }
                };
                format!(
                    "the user: active {active}, blue {}, green {}, shared {shared}, {replicas} replicas, {}{}",
                    block(Color::Blue),
                    block(Color::Green),
                    if rolling { "RollingUpdate" } else { "Freeze" },
                    if paused { ", paused" } else { "" }
                )
            }
            Writer::Stranger => "somebody".to_owned(),
        };
        let (kind, name) = (self.write.kind, &self.write.name);
        let what = if self.write.deleted { "is deleted" } else { "changes" };
        format!("{:8.3} s  {}  {kind:?} {name} {what} by {by}", at.as_secs_f64(), self.write.version)
    }
}
