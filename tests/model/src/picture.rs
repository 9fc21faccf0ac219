//! The objects as somebody sees them who watches the API server: what the model must agree with at every moment.
//!
//! Nearly all of it is told exactly. Only how many pods are ready is not: the model's pods turn ready all at once, real
//! ones turn ready one by one, so that a count between none and all fits both.

use bluegreen_api::{Color, PerColor};

use crate::objects::{App, Deployment, Kept, Listed, Objects, REVISIONS, Service, Token};

/// A Deployment, as far as decisions tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// The revision in its pod template.
    pub revision: u8,
    /// What the pod template runs.
    pub content: u8,
    /// What the spec would have rendered, by its labels.
    pub spec: u8,
    /// `spec.replicas`.
    pub replicas: u8,
    /// Whose token it carries.
    pub token: Token,
    /// `status.observedGeneration` is the newest.
    pub observed: bool,
    /// All four counts are `spec.replicas`, and that is observed.
    pub complete: bool,
    /// Condition `Progressing` tells of a complete rollout.
    pub rolled: bool,
}

impl Deployed {
    /// As the model's Deployment looks.
    pub(crate) fn of(d: &Deployment) -> Self {
        Self {
            revision: d.revision,
            content: d.content,
            spec: d.spec,
            replicas: d.replicas,
            token: d.token,
            observed: d.observed,
            complete: d.observed && d.have == d.replicas && (d.current || d.replicas == 0),
            rolled: d.rolled,
        }
    }
}

/// What stands behind the live Service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behind {
    /// Nothing.
    #[default]
    Nothing,
    /// Pods of one color, so many of them ready.
    Pods(Color, u8),
    /// Pods of both colors.
    Both,
}

/// Everything, as it is at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The custom resource; `left_long_ago` is not looked at.
    pub app: App,
    /// The live Service.
    pub service: Option<Service>,
    /// The Deployments.
    pub deployments: PerColor<Option<Deployed>>,
    /// The stored revisions.
    pub stored: PerColor<[Option<Kept>; REVISIONS]>,
    /// What stands behind the live Service.
    pub live: Behind,
    /// Ready pods of each Deployment's template behind the color's own Service.
    pub own: PerColor<u8>,
}

/// Ready pods of the Deployment's template behind the color's own Service.
pub(crate) fn listed(objects: &Objects, color: Color) -> u8 {
    let own = objects.slices.own.get(color);
    objects.deployments.get(color).map_or(0, |d| {
        let of_this = Listed { revision: d.revision, content: d.content, pods: own.pods } == *own;
        if of_this { own.pods } else { 0 }
    })
}

impl Picture {
    /// Is this what the model's objects look like? `Err` says what is not.
    pub fn agrees(&self, with: &Objects) -> Result<(), String> {
        let Objects { app, service, deployments: _, stored, stored_long_ago: _, slices: _, jobs: _ } = with;
        same("the app", &App { left_long_ago: self.app.left_long_ago, ..*app }, &self.app)?;
        same("the Service", service, &self.service)?;
        same("the revisions", stored, &self.stored)?;
        for color in Color::ALL {
            let size = self.deployment(color, with)?;
            let listed = listed(with, color);
            same_ready(&format!("{color}'s own slices"), listed, *self.own.get(color), size)?;
        }
        self.live_slices(with)
    }

    /// Returns its size.
    fn deployment(&self, color: Color, with: &Objects) -> Result<u8, String> {
        // Until it is observed, what a rollout came to is about an earlier generation.
        let told = |d: Deployed| Deployed { rolled: d.rolled && d.observed, ..d };
        let model = with.deployments.get(color).as_ref().map(Deployed::of).map(told);
        // The model has no pods that are not available. A real Deployment whose pods were not all available yet and that
        // goes to zero counts them: its controller scales the ReplicaSet and counts by what that had said before. No
        // decision reads the counts at that size. At any other, and where the model still counts some, they are compared.
        let empty = model.is_some_and(|model| model.complete && model.replicas == 0);
        let seen = self.deployments.get(color).map(told);
        let seen =
            seen.map(|d| Deployed { complete: d.complete || (empty && d.observed && d.replicas == 0), ..d });
        same(&format!("{color}'s Deployment"), &model, &seen)?;
        Ok(model.map_or(0, |d| d.replicas))
    }

    fn live_slices(&self, with: &Objects) -> Result<(), String> {
        let model = with.slices.live;
        match (model, self.live) {
            (_, Behind::Both) | (None | Some((_, 0)), Behind::Nothing) => Ok(()),
            (Some((color, ready)), Behind::Pods(of, seen)) if color == of => {
                let size = with.deployments.get(color).map_or(0, |d| d.replicas);
                same_ready("the live slices", ready, seen, size)
            }
            _ => Err(format!("the live slices hold {model:?} in the model, {:?} in reality", self.live)),
        }
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, model: &T, seen: &T) -> Result<(), String> {
    if model == seen {
        return Ok(());
    }
    Err(format!("{what} is in the model\n      {model:?}\n    and in reality\n      {seen:?}"))
}

/// None and all are told exactly, what is in between is not.
fn same_ready(what: &str, model: u8, seen: u8, all: u8) -> Result<(), String> {
    let between = seen > 0 && seen < all;
    if between || (model >= all) == (seen >= all) {
        return Ok(());
    }
    Err(format!("{what} list {model} ready pods of {all} in the model, {seen} in reality"))
}
