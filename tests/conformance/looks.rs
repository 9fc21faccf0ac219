//! What the operator read and wrote, from the proxy's log.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use bluegreen_api::Color;
use bluegreen_core::apply::NO_SUCH_VERSION;
use bluegreen_model::objects::{Object, Status};
use bluegreen_model::replay;
use bluegreen_model::request::Ask;
use bluegreen_proxy::{Record, Verb, Verdict};
use serde_json::Value;

use crate::read::{self, Reader};
use crate::trace::Change;

/// How long the operator waits for the answer to a write.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long it waits for a look, less what passes between it and the proxy.
const READ_DEADLINE: Duration = Duration::from_millis(1_800);

/// One of the reads that make up a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    App,
    Service,
    Deployment(bool),
    Revisions,
    Slices,
    /// The colors' own Services, which the model leaves out.
    Other(bool),
}

const PARTS: usize = 8;

/// Those of a look by name: it has no list of revisions, and only the target's own Service.
const NAMED: usize = PARTS - 2;

/// What a read found.
#[derive(Clone, Copy, Debug)]
pub enum Reading {
    /// This version of the object.
    Version(u64),
    /// Nothing.
    Absent,
    /// A list, as everything was at this version.
    List(u64),
}

impl Reading {
    /// From after which change, until before which, this could be read. `near`: another read of the same look.
    pub fn span(self, changes: &[Change], object: Object, near: usize) -> Result<(usize, usize)> {
        let of_it = || changes.iter().enumerate().filter(|(_, change)| change.object == object);
        let next = |from: usize| of_it().map(|(index, _)| index).find(|index| *index >= from);
        let end = changes.len();
        match self {
            Self::Version(version) => {
                let (index, _) = of_it()
                    .find(|(_, change)| change.write.version == version && !change.write.deleted)
                    .with_context(|| format!("version {version} of {object:?} is not known"))?;
                Ok((index + 1, next(index + 1).unwrap_or(end)))
            }
            Self::List(version) => {
                let from = changes.iter().take_while(|change| change.write.version <= version).count();
                Ok((from, next(from).unwrap_or(end)))
            }
            // The last time that there was none.
            Self::Absent => {
                let gone = of_it().filter(|(_, change)| change.write.deleted).map(|(index, _)| index + 1);
                let from = gone.take_while(|from| *from <= near).last().unwrap_or(0);
                Ok((from, next(from).unwrap_or(end)))
            }
        }
    }
}

/// As [`Reading::span`], of one slice among several.
pub fn span_of_slice(reading: Reading, changes: &[Change]) -> Result<(usize, usize)> {
    let version = match reading {
        Reading::Version(version) => version,
        other @ (Reading::Absent | Reading::List(_)) => {
            return other.span(changes, Object::Slices, changes.len());
        }
    };
    let of_slices = |change: &Change| change.object == Object::Slices;
    let is_it = |change: &Change| of_slices(change) && change.write.version == version;
    let index = changes.iter().position(is_it).with_context(|| format!("no slice of version {version}"))?;
    let same = |change: &Change| of_slices(change) && change.write.name == changes[index].write.name;
    let next = changes.iter().skip(index + 1).position(same);
    Ok((index + 1, next.map_or(changes.len(), |next| index + 1 + next)))
}

/// What became of a request at the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It made this version.
    Committed(u64),
    /// It deleted the object.
    Deleted,
    /// It was accepted, and everything was so already.
    Unchanged,
    Refused,
    /// It never arrived.
    Never,
}

/// A write.
#[derive(Clone, Debug)]
pub struct Sent {
    /// `None`: the model knows no such requests.
    pub ask: Option<Ask>,
    pub fate: Fate,
    /// The operator heard of that in time.
    pub heard: bool,
    pub words: String,
    /// When it was sent, and when it was answered.
    span: (Duration, Duration),
    /// The color whose own Service it deletes, which the model leaves out.
    pub removes: Option<Color>,
    /// It stamps the status of a Deployment.
    on_status: bool,
    /// For a deletion: of what.
    uid: Value,
}

impl Sent {
    /// Was it sent because of the answers to these? Then all of them were answered by then, and the answers tell what was written.
    /// A color's revisions are deleted one after the other, as one request.
    fn follows(&self, before: &[Self]) -> bool {
        let tells = |sent: &Self| {
            let done = matches!(sent.fate, Fate::Committed(_) | Fate::Deleted | Fate::Unchanged);
            let is_drop = matches!(sent.ask, Some(Ask::Drop(..)));
            let deletes = matches!(sent.fate, Fate::Deleted) && !is_drop;
            done && sent.heard && sent.span.1 <= self.span.0 && !deletes
        };
        let writes = |sent: &Self| !matches!(sent.ask, None | Some(Ask::Status(..) | Ask::Drop(..)));
        !matches!(self.ask, None | Some(Ask::Drop(..)))
            && before.iter().any(writes)
            && before.iter().all(tells)
    }

    /// Is it this object that it deletes?
    pub fn deletes(&self, object: &Value) -> bool {
        !self.uid.is_null() && object["metadata"]["uid"] == self.uid
    }
}

/// What an app's status said at a version.
pub type Statuses<'a> = &'a dyn Fn(u64) -> Option<Status>;

/// One look, and what was sent because of it.
#[derive(Clone, Debug)]
pub struct Look {
    /// Which process it was, counted from the first that looked.
    pub process: usize,
    /// It looked at the owners of the pods too.
    proved: bool,
    /// It read by name, to confirm a switch to this color.
    pub confirms: Option<Color>,
    /// It read nothing: the first objects of an app are created on what the watches have told.
    pub from_caches: bool,
    reads: BTreeMap<Part, Reading>,
    /// When the first read began and the last ended.
    span: (Duration, Duration),
    pub sent: Vec<Sent>,
    /// What was sent after that without another look, each time because of the answers to what was sent before.
    pub follow: Vec<Vec<Sent>>,
}

impl Look {
    /// One that begins with this request.
    fn new(process: usize, first: &Record) -> Self {
        Self {
            process,
            proved: false,
            confirms: None,
            from_caches: false,
            reads: BTreeMap::new(),
            span: (first.at, first.at),
            sent: Vec::new(),
            follow: Vec::new(),
        }
    }

    fn is_whole(&self) -> bool {
        self.reads.len() == if self.confirms.is_some() { NAMED } else { PARTS }
    }

    /// One by name that led to nothing was followed by one at everything.
    fn counts(&self) -> bool {
        if self.from_caches {
            return !self.sent.is_empty();
        }
        self.is_whole() && (self.confirms.is_none() || !self.sent.is_empty())
    }

    /// What was read of each object.
    pub fn readings(&self) -> impl Iterator<Item = (Object, Reading)> {
        self.reads.iter().filter_map(|(part, reading)| {
            let object = match part {
                Part::App => Object::App,
                Part::Service => Object::Service,
                Part::Deployment(green) => {
                    Object::Deployment(if *green { Color::Green } else { Color::Blue })
                }
                Part::Revisions => Object::Stored,
                Part::Slices => Object::Slices,
                Part::Other(_) => return None,
            };
            Some((object, *reading))
        })
    }

    /// For the replay.
    pub fn told(&self, sent: &[Sent], last: bool) -> replay::Look {
        replay::Look {
            asks: sent.iter().filter_map(|sent| sent.ask).collect(),
            proved: self.proved,
            outside: sent.iter().any(|sent| sent.ask.is_none()),
            last,
            slow: self.span.1.saturating_sub(self.span.0) > READ_DEADLINE,
        }
    }

    pub fn words(&self) -> String {
        let reads: Vec<_> = self
            .readings()
            .map(|(object, reading)| match reading {
                Reading::Version(version) | Reading::List(version) => format!("{object:?} {version}"),
                Reading::Absent => format!("no {object:?}"),
            })
            .collect();
        reads.join(", ")
    }

    /// Takes the first of what seems to have followed from answers for a part of what was sent before: on a busy machine the
    /// first of several requests may be answered when the last is sent. False if there is none.
    pub fn join(&mut self) -> bool {
        if self.follow.is_empty() {
            return false;
        }
        let next = self.follow.remove(0);
        self.sent.extend(next);
        true
    }

    /// Takes out of what was sent what followed from answers alone.
    fn split(&mut self) {
        let mut rounds: Vec<Vec<Sent>> = vec![Vec::new()];
        for sent in self.sent.drain(..) {
            let Some(round) = rounds.last_mut() else { continue };
            if sent.follows(round) {
                rounds.push(vec![sent]);
            } else {
                round.push(sent);
            }
        }
        self.sent = rounds.remove(0);
        self.follow = rounds;
    }
}

/// What was asked for, in words.
pub fn decision(sent: &[Sent]) -> String {
    let all: Vec<_> = sent.iter().map(|sent| sent.words.as_str()).collect();
    let all = if all.is_empty() { "nothing".to_owned() } else { all.join("; ") };
    format!("it asks for: {all}")
}

/// All looks at one app; `starts` are the places in the log at which another process began.
pub fn looks(reader: &mut Reader, log: &[Record], starts: &[usize], statuses: Statuses) -> Result<Vec<Look>> {
    let process = |index: usize| starts.iter().filter(|start| **start <= index).count();
    let ours: Vec<(usize, &Record)> = log
        .iter()
        .enumerate()
        .filter(|(_, record)| is_about(&reader.name, record))
        .map(|(i, r)| (process(i), r))
        .collect();
    let first = ours.first().map_or(0, |(process, _)| *process);
    for (process, record) in &ours {
        let body: Value = serde_json::from_slice(&record.sent).unwrap_or_default();
        if let Some((epoch, _)) = read::token(&body["metadata"])
            && record.request.resource != "bluegreenapps"
        {
            reader.terms.insert(epoch, u8::try_from(process - first + 1)?);
        }
    }
    let mut looks: Vec<Look> = Vec::new();
    let mut current: Option<Look> = None;
    for (process, record) in ours {
        let process = process - first;
        if record.request.is_change() {
            if current.as_ref().is_none_or(|look| look.process != process) {
                if !creates(record) {
                    continue;
                }
                looks.extend(current.replace(Look { from_caches: true, ..Look::new(process, record) }));
            }
            let Some(look) = &mut current else { continue };
            look.sent.extend(sent(reader, record, statuses)?);
            continue;
        }
        let resource = record.request.resource.as_str();
        // Only a look by name asks for these by name. They wait for their turn: all else may have been read by then, or nothing.
        let is_late = is_by_name(record) && matches!(resource, "replicasets" | "controllerrevisions");
        let done = |look: &Look| {
            let again = part(&reader.name, record).is_some_and(|part| look.reads.contains_key(&part));
            // All reads of a look are sent together.
            let over = look.is_whole() && look.span.1 < record.at && !(is_late && look.confirms.is_some());
            look.process != process || again || over || !look.sent.is_empty()
        };
        if current.as_ref().is_none_or(done) {
            looks.extend(current.replace(Look::new(process, record)));
        }
        let Some(look) = &mut current else { continue };
        look.span.1 = look.span.1.max(record.ended.unwrap_or(Duration::MAX));
        look.proved |= record.request.resource == "replicasets";
        if is_by_name(record) && record.request.resource == "endpointslices" {
            look.confirms = of_color(&reader.name, &record.request.name);
        }
        if let (Some(part), Some(reading)) = (part(&reader.name, record), reading(record)) {
            look.reads.insert(part, reading);
        }
    }
    looks.extend(current);
    // One that failed leads to nothing.
    looks.retain(Look::counts);
    for look in &mut looks {
        stamp_once(&mut look.sent);
        look.split();
    }
    Ok(looks)
}

/// A stamp on a Deployment that did not succeed is tried once more, on its status: one stamp for the model.
fn stamp_once(sent: &mut Vec<Sent>) {
    while let Some(second) = sent.iter().position(|stamp| stamp.on_status) {
        let again = sent.remove(second);
        let Some(first) = sent[..second].iter_mut().find(|first| first.ask == again.ask) else { continue };
        match first.fate {
            // The second one was refused for that, and the operator reads again, as after a stamp that succeeded.
            Fate::Committed(_) => first.heard = again.heard,
            // One stamp, from the first try to the second answer: it follows from no answer in between.
            _ => *first = Sent { on_status: false, span: (first.span.0, again.span.1), ..again },
        }
    }
}

/// A create has a resourceVersion that no object has.
fn creates(record: &Record) -> bool {
    let body: Value = serde_json::from_slice(&record.sent).unwrap_or_default();
    let is_first = ["services", "controllerrevisions"].contains(&record.request.resource.as_str());
    is_first && body["metadata"]["resourceVersion"] == NO_SUCH_VERSION
}

fn is_by_name(record: &Record) -> bool {
    record.request.verb == Verb::Get
}

/// Whose slice it is, by its name: that of its Service, and something random.
fn of_color(app: &str, slice: &str) -> Option<Color> {
    Color::ALL.into_iter().find(|color| slice.starts_with(&format!("{app}-{color}-")))
}

fn is_about(app: &str, record: &Record) -> bool {
    let request = &record.request;
    if request.is_watch()
        // The model knows no preview, on which nothing depends.
        || request.name.ends_with("-preview")
        || !matches!(
            request.resource.as_str(),
            "bluegreenapps"
                | "services"
                | "deployments"
                | "controllerrevisions"
                | "endpointslices"
                | "replicasets"
        )
    {
        return false;
    }
    match request.verb {
        // Stores are filled page by page; live reads ask for all at once.
        Verb::List => request.uri.contains(app) && !request.uri.contains("limit="),
        _ => request.name == app || request.name.starts_with(&format!("{app}-")),
    }
}

fn part(app: &str, record: &Record) -> Option<Part> {
    let request = &record.request;
    let rest = request.name.strip_prefix(app).unwrap_or_default();
    let green = rest == "-green";
    Some(match (request.verb, request.resource.as_str()) {
        (Verb::Get, "bluegreenapps") => Part::App,
        (Verb::Get, "services") if rest.is_empty() => Part::Service,
        (Verb::Get, "services") => Part::Other(green),
        (Verb::Get, "deployments") => Part::Deployment(green),
        (Verb::List, "controllerrevisions") => Part::Revisions,
        (Verb::List, "endpointslices") => Part::Slices,
        (Verb::Get, "endpointslices") if of_color(app, &request.name).is_some() => Part::Slices,
        _ => return None,
    })
}

fn version(answer: &[u8]) -> Option<u64> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    answer["metadata"]["resourceVersion"].as_str()?.parse().ok()
}

fn reading(record: &Record) -> Option<Reading> {
    match (record.verdict.actual()?, record.request.verb) {
        (404, _) => Some(Reading::Absent),
        (200, Verb::List) => version(&record.answer).map(Reading::List),
        (200, _) => version(&record.answer).map(Reading::Version),
        _ => None,
    }
}

/// `None` for a status that says nothing new of what the model knows.
fn sent(reader: &Reader, record: &Record, status_at: Statuses) -> Result<Option<Sent>> {
    let request = &record.request;
    let body: Value = serde_json::from_slice(&record.sent).unwrap_or_default();
    let stamps = request.manager.ends_with("-fence");
    let ask = reader.ask(request.verb.as_str(), &request.resource, &request.name, stamps, &body);
    let based_on: Option<u64> = body["metadata"]["resourceVersion"].as_str().and_then(|v| v.parse().ok());
    if let Some(Ask::Status(new, _)) = ask {
        let old = status_at(based_on.context("a status without a version")?);
        if old == Some(new) {
            return Ok(None);
        }
    }
    let fate = match (record.verdict.actual(), request.verb) {
        (Some(200..=202), Verb::Delete) => Fate::Deleted,
        (Some(200 | 201), _) => match version(&record.answer).context("an answer without a version")? {
            version if Some(version) == based_on => Fate::Unchanged,
            version => Fate::Committed(version),
        },
        (Some(_), _) => Fate::Refused,
        (None, _) => Fate::Never,
    };
    let told = match record.verdict {
        Verdict::Forwarded(code) | Verdict::Answered(code) | Verdict::AnsweredAfter { told: code, .. } => {
            Some(code)
        }
        Verdict::Pending | Verdict::Cut | Verdict::ReplyLost(_) | Verdict::Unreachable => None,
    };
    let took = record.ended.map_or(Duration::MAX, |ended| ended.saturating_sub(record.at));
    let heard = told.is_some_and(|code| code < 500) && took < WRITE_TIMEOUT;
    let words = match ask {
        Some(ask) => format!("{} [{request}, {:?}]", replay::words(ask), record.verdict),
        None => format!("{request}, {:?}", record.verdict),
    };
    let of = request.name.strip_prefix(reader.name.as_str()).and_then(|rest| rest.strip_prefix('-'));
    let removes = (request.verb == Verb::Delete && request.resource == "services").then_some(of).flatten();
    let removes = removes.and_then(Color::parse);
    let on_status = stamps && request.subresource == "status";
    let span = (record.at, record.ended.unwrap_or(Duration::MAX));
    let uid = body["preconditions"]["uid"].clone();
    Ok(Some(Sent { ask, fate, heard, words, span, removes, on_status, uid }))
}
