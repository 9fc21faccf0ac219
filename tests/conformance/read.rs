//! Real objects and requests, as the model tells them: the abstraction.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use bluegreen_api::{BlueGreenAppSpec, BlueGreenAppStatus, Color, PerColor};
use bluegreen_core::desired::{self, names};
use bluegreen_core::plan::Selection;
use bluegreen_model::checks::{Asked, Reported};
use bluegreen_model::objects::{App, FOREIGN, Kept, REVISIONS, Service, Status, Token};
use bluegreen_model::picture::{Behind, Deployed};
use bluegreen_model::request::{Ask, Why};
use serde_json::{Value, json};

/// The annotation that stands for all that both colors share.
pub const SHARED: &str = "shared";

/// More tags than any run uses.
const TAGS: u8 = 32;

/// Knows what the hashes of one app mean, and which term each process had.
pub struct Reader {
    /// The app's name.
    pub name: String,
    /// Hashes of block and inputs, and the rendering that they stand for.
    renderings: BTreeMap<(String, String), u8>,
    /// The model's terms by those of the Lease.
    pub terms: BTreeMap<i64, u8>,
}

/// An image's tag, and what both colors share, as one number.
fn rendering(tag: u8, shared: u8) -> u8 {
    tag * 2 + shared
}

impl Reader {
    /// For this app; `spec` is any of its specs.
    pub fn new(name: &str, spec: &Value) -> Result<Self> {
        let mut renderings = BTreeMap::new();
        for (tag, shared) in (0..TAGS).flat_map(|tag| [(tag, 0), (tag, 1)]) {
            let mut spec = spec.clone();
            spec["blue"]["tag"] = json!(format!("v{tag}"));
            spec["template"]["metadata"]["annotations"][SHARED] = json!(shared.to_string());
            let spec: BlueGreenAppSpec = serde_json::from_value(spec)?;
            let block = desired::block_hash(&spec, Color::Blue).context("block")?;
            let inputs = desired::inputs_hash(&spec, Color::Blue).context("inputs")?;
            renderings.insert((block, inputs), rendering(tag, shared));
        }
        Ok(Self { name: name.to_owned(), renderings, terms: BTreeMap::new() })
    }

    fn hashes(&self, block: &Value, inputs: &Value) -> u8 {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.renderings.get(&(text(block), text(inputs))).copied().unwrap_or(FOREIGN)
    }

    /// The token in the labels of an object or a request.
    fn token(&self, metadata: &Value) -> Token {
        let Some((epoch, attempt)) = token(metadata) else { return Token::default() };
        Token { epoch: self.terms.get(&epoch).copied().unwrap_or(u8::MAX), attempt }
    }

    /// The app, given what was known of it before.
    pub fn app(&self, object: &Value, before: Option<&App>) -> Result<App> {
        let spec = &object["spec"];
        let tag = |color: Color| {
            let last = before.map_or(0, |app| *app.tags.get(color));
            spec[color.as_str()]["tag"].as_str().and_then(numbered).unwrap_or(last)
        };
        Ok(App {
            active: color(&spec["active"]).context("active")?,
            tags: PerColor::from_fn(tag),
            present: PerColor::from_fn(|color| spec[color.as_str()].is_object()),
            shared: shared(&spec["template"]),
            replicas: small(&spec["replicas"]),
            rolling: spec["activeUpdatePolicy"] == "RollingUpdate",
            paused: spec["paused"] == true,
            // The lives have no checks.
            checks: Asked::default(),
            status: status(object),
            left_long_ago: PerColor { blue: true, green: true },
        })
    }

    /// The live Service, or what a request makes of it.
    pub fn service(&self, object: &Value) -> Service {
        let notes = &object["metadata"]["annotations"];
        let number = |color| notes[names::served(color)].as_str().and_then(|n| n.parse().ok()).unwrap_or(0);
        Service {
            selects: self.selection(object),
            committed: color(&notes[names::ACTIVE]),
            served: PerColor::from_fn(number),
            token: self.token(&object["metadata"]),
        }
    }

    fn selection(&self, object: &Value) -> Selection {
        match bluegreen_guard::selection(object, &self.name) {
            "none" => Selection::Nothing,
            other => Color::parse(other).map_or(Selection::Edited, Selection::Color),
        }
    }

    fn kept(&self, template: &Value, block: &Value, inputs: &Value) -> Kept {
        Kept { content: content(template), spec: self.hashes(block, inputs) }
    }

    /// A Deployment.
    pub fn deployment(&self, object: &Value) -> Deployed {
        let (spec, status) = (&object["spec"], &object["status"]);
        let (revision, Kept { content, spec: by }, replicas, token) = self.declared(object);
        let observed = status["observedGeneration"].as_i64().unwrap_or(-1)
            >= object["metadata"]["generation"].as_i64().unwrap_or(0);
        let size = spec["replicas"].as_i64().unwrap_or(1);
        let counts = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"];
        let counted = counts.iter().all(|count| status[count].as_i64().unwrap_or(0) == size);
        let conditions = status["conditions"].as_array();
        let rolled = conditions
            .into_iter()
            .flatten()
            .any(|c| c["type"] == "Progressing" && c["reason"] == "NewReplicaSetAvailable");
        Deployed {
            revision,
            content,
            spec: by,
            replicas,
            token,
            observed,
            complete: observed && counted,
            rolled,
        }
    }

    /// What is declared of a Deployment: revision, rendering, size, token.
    fn declared(&self, object: &Value) -> (u8, Kept, u8, Token) {
        let (spec, labels) = (&object["spec"], &object["metadata"]["labels"]);
        let revision = &spec["template"]["metadata"]["labels"][names::REVISION];
        let revision = revision.as_str().and_then(|number| number.parse().ok()).unwrap_or(0);
        let kept = self.kept(&spec["template"], &labels[names::BLOCK], &labels[names::INPUTS]);
        (revision, kept, small(&spec["replicas"]), self.token(&object["metadata"]))
    }

    /// A stored revision: whose, its number, and what it holds.
    pub fn revision(&self, object: &Value) -> Option<(Color, u8, Kept)> {
        let data = &object["data"];
        let kept = self.kept(&data["deployment"]["template"], &data["block"], &data["inputs"]);
        let number = u8::try_from(object["revision"].as_i64()?).ok()?;
        (1..=REVISIONS).contains(&usize::from(number)).then_some(())?;
        Some((color(&object["metadata"]["labels"][names::COLOR])?, number, kept))
    }

    /// What a request asks for; `None` if the model knows no such requests. `stamps`: it is only about the token.
    pub fn ask(&self, verb: &str, resource: &str, name: &str, stamps: bool, body: &Value) -> Option<Ask> {
        let rest = name.strip_prefix(self.name.as_str())?;
        let of = |text: &str| text.strip_prefix('-').and_then(Color::parse);
        let token = || self.token(&body["metadata"]);
        let creates = body["metadata"]["uid"].is_null();
        match (verb, resource) {
            ("patch", "services") if !rest.is_empty() => None,
            ("patch", "services") if stamps => Some(Ask::StampService(token())),
            ("patch", "services") if creates => Some(Ask::CreateService(self.service(body))),
            // Why is not to be seen.
            ("patch", "services") => Some(Ask::PutService(self.service(body), Why::Switch)),
            ("patch", "deployments") if stamps => Some(Ask::StampDeployment(of(rest)?, token())),
            ("patch", "deployments") => {
                let (color, (revision, kept, size, token)) = (of(rest)?, self.declared(body));
                Some(if creates {
                    Ask::CreateDeployment(color, revision, kept, size, token)
                } else {
                    Ask::PutDeployment(color, revision, kept, size, token)
                })
            }
            ("delete", "deployments") => Some(Ask::DeleteDeployment(of(rest)?)),
            ("patch", "controllerrevisions") => {
                self.revision(body).map(|(color, number, kept)| Ask::Store(color, number, kept))
            }
            ("delete", "controllerrevisions") => {
                let (color, number) = rest.rsplit_once('-')?;
                Some(Ask::Drop(of(color)?, number.parse().ok()?))
            }
            ("update", "bluegreenapps") => Some(Ask::Status(status(body), None)),
            _ => None,
        }
    }
}

/// Term and attempt in the labels of an object, or in its annotations if they are newer.
pub fn token(metadata: &Value) -> Option<(i64, u8)> {
    let read = |stamp: &str| {
        let mut parts = stamp.splitn(3, '.').skip(1);
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    ["labels", "annotations"].iter().filter_map(|at| metadata[at][names::FENCE].as_str().and_then(read)).max()
}

/// What an app's status says, as far as it is read back.
pub fn status(object: &Value) -> Status {
    let status = &object["status"];
    let generation = status["observedGeneration"].as_i64().unwrap_or(-1);
    let served = |color: Color| small(&status[color.as_str()]["servedRevision"]);
    let switch = &status["switch"];
    Status {
        written: generation >= 0,
        observed: Some(generation) == object["metadata"]["generation"].as_i64(),
        settled: generation >= 0
            && serde_json::from_value(status.clone()).is_ok_and(|it: BlueGreenAppStatus| it.is_settled()),
        active: color(&status["active"]),
        switch: color(&switch["to"]).map(|to| (color(&switch["from"]), to)),
        served: PerColor::from_fn(served),
        healthy: small(&status["desiredHealthy"]),
        checks: Reported::default(),
    }
}

/// What a pod, or a pod template, runs.
pub fn content(template: &Value) -> u8 {
    let containers = template["spec"]["containers"].as_array();
    let app = containers.into_iter().flatten().find(|container| container["name"] == "app");
    let image = app.and_then(|app| app["image"].as_str()).unwrap_or_default();
    let tag = image.strip_prefix("team/hello:").and_then(numbered);
    tag.map_or(FOREIGN, |tag| rendering(tag, shared(template)))
}

fn shared(template: &Value) -> u8 {
    u8::from(template["metadata"]["annotations"][SHARED] == "1")
}

fn numbered(tag: &str) -> Option<u8> {
    tag.strip_prefix('v')?.parse().ok()
}

pub fn color(value: &Value) -> Option<Color> {
    value.as_str().and_then(Color::parse)
}

fn small(value: &Value) -> u8 {
    value.as_u64().and_then(|number| u8::try_from(number).ok()).unwrap_or(0)
}

/// One endpoint: the pod's name and uid, and whether it is ready.
pub fn endpoints(slice: &Value) -> impl Iterator<Item = (&str, &str, bool)> {
    slice["endpoints"].as_array().into_iter().flatten().map(|endpoint| {
        let (pod, is) = (&endpoint["targetRef"], &endpoint["conditions"]);
        let ready = is["ready"] == true && is["serving"] != false && is["terminating"] != true;
        (pod["name"].as_str().unwrap_or_default(), pod["uid"].as_str().unwrap_or_default(), ready)
    })
}

/// What stands behind the live Service, by the names of the pods.
pub fn behind<'a>(app: &str, all: impl Iterator<Item = (&'a str, &'a str, bool)>) -> Behind {
    let mut of = PerColor::<(u8, u8)>::default();
    for (name, _, ready) in all {
        for color in Color::ALL {
            if name.starts_with(&format!("{app}-{color}-")) {
                let (pods, ready_pods) = of.get_mut(color);
                (*pods, *ready_pods) = (*pods + 1, *ready_pods + u8::from(ready));
            }
        }
    }
    match (of.blue, of.green) {
        ((0, _), (0, _)) => Behind::Nothing,
        ((_, ready), (0, _)) => Behind::Pods(Color::Blue, ready),
        ((0, _), (_, ready)) => Behind::Pods(Color::Green, ready),
        _ => Behind::Both,
    }
}
