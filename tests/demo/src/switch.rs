//! One switch, as a person makes it, and how long each part of it takes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bluegreen_load::{Kind, Load, Report, Window};
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};

use crate::curl;
use crate::place::{NAMESPACE, Place};
use crate::seen::Field;

/// How long the old color may answer new connections after the Service has moved: kube-proxy writes its rules at most
/// once a second.
const GRACE: Duration = Duration::from_secs(2);

/// How long requests are counted after the Service has moved, before anything else happens.
const WATCHED: Duration = Duration::from_secs(5);

/// The app's name, and that of its Service.
pub const APP: &str = "hello";

const COLOR: &str = "bluegreen.dev/color";

/// The running app, looked at from everywhere.
pub struct Stage<'a> {
    place: &'a Place,
    address: SocketAddr,
    load: Load,
    wanted: Field,
    selected: Field,
    services: Api<Service>,
}

/// Times since the command was entered.
#[derive(Clone, Debug)]
pub struct Switch {
    /// The color that served before.
    pub from: &'static str,
    /// The color that serves now.
    pub to: &'static str,
    /// The API server had the new `spec.active`.
    pub taken: Duration,
    /// The Service selected the new color.
    pub selected: Duration,
    /// `kubectl wait` returned.
    pub returned: Duration,
}

impl<'a> Stage<'a> {
    /// Starts to watch.
    pub fn new(place: &'a Place, address: SocketAddr, load: Load) -> Result<Self> {
        let namespace = if place.is_own() { "default" } else { NAMESPACE };
        let client = place.cluster.client()?;
        let field = |group: &str, version: &str, kind: &str, pointer| {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
            Field::watch(api, APP, pointer)
        };
        Ok(Self {
            place,
            address,
            load,
            wanted: field("bluegreen.dev", "v1alpha1", "BlueGreenApp", "/spec/active"),
            selected: field("", "v1", "Service", "/spec/selector/bluegreen.dev~1color"),
            services: Api::namespaced(client.clone(), namespace),
        })
    }

    /// Switches, shows the loop meanwhile, and returns once the new color's pods have all taken turns.
    pub async fn switch(&mut self, from: &'static str, to: &'static str) -> Result<Switch> {
        // The watches must have begun before there is something to see.
        self.wanted.becomes(from).await?;
        self.selected.becomes(from).await?;

        let Self { place, address, load, wanted, selected, services } = self;
        let patch = format!(r#"{{"spec":{{"active":"{to}"}}}}"#);
        let entered = Instant::now();
        load.mark(patched(to));
        let person = async {
            let wait = ["wait", "bga", APP, "--for=condition=Ready", "--timeout=120s"];
            place.kubectl.show_both(&["patch", "bga", APP, "--type=merge", "-p", &patch], &wait).await?;
            let returned = entered.elapsed();
            let service = services.get(APP).await?;
            let live = service.spec.and_then(|spec| spec.selector?.get(COLOR).cloned());
            ensure!(
                live.as_deref() == Some(to),
                "`kubectl wait` returned while the Service selected {live:?}"
            );
            Ok(returned)
        };
        let service = async {
            let at = selected.becomes(to).await?;
            load.mark(moved(to));
            Ok(at - entered)
        };
        let app = async { Ok(wanted.becomes(to).await? - entered) };
        let answers = curl::until_all_answer(*address, to, Some(entered));
        let (returned, selected, taken, ()) = tokio::try_join!(person, service, app, answers)?;

        tokio::time::sleep((selected + WATCHED).saturating_sub(entered.elapsed())).await;
        Ok(Switch { from, to, taken, selected, returned })
    }

    /// Ends the load.
    pub async fn finish(self) -> Result<Report> {
        self.load.stop().await
    }
}

fn patched(to: &str) -> String {
    format!("patched to {to}")
}

fn moved(to: &str) -> String {
    format!("the Service selects {to}")
}

/// What the load saw of one switch.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// Requests that were due from the patch to the next one.
    pub requests: usize,
    /// Of these, how many were lost.
    pub lost: usize,
    /// From the patch to the first answer of the new color, if it is seen for the first time.
    pub first_new: Option<Duration>,
    /// From the patch to the last answer of the old color, on new connections.
    pub last_old: Option<Duration>,
    /// New connections that reached the old color later than allowed.
    pub wrong: usize,
    /// Answers of the old color on connections that were kept open: those stay with their pod, as with any Service.
    pub kept: usize,
}

impl Switch {
    /// Finds this switch in the report, up to the patch to `next`.
    pub fn traffic(&self, report: &Report) -> Result<Traffic> {
        let until = patched(self.from);
        let after = |label: String| -> Result<Window<'_>> {
            let window = report.after(&label).context("a switch was not marked")?;
            // Only of a later switch: the app starts out blue, so no patch to green comes before one to blue.
            Ok(if self.to == "green" { window.until(&until) } else { window })
        };
        let (patched, moved) = (after(patched(self.to))?, after(moved(self.to))?);
        let fresh = patched.kind(Kind::Fresh);
        Ok(Traffic {
            requests: patched.started().count(),
            lost: patched.failed(),
            first_new: fresh.first(self.to),
            last_old: fresh.last(self.from),
            wrong: moved.kind(Kind::Fresh).count_started_later(self.from, GRACE),
            kept: moved.kind(Kind::KeepAlive).count_started_later(self.from, Duration::ZERO),
        })
    }
}
