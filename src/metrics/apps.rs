//! The series of the apps, made from the store of apps at each scrape: an app that is deleted has none, and a pass never
//! waits for a scrape.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use kube::ResourceExt;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Metric, MetricFamily, MetricType};
use prometheus::{IntGauge, Result};

use super::render::{describe, family, gauge};
use super::table;
use bluegreen_api::{BlueGreenApp, Color};

/// Renders [`table::APP_INFO`], [`table::CONDITION`] and [`table::REJECTED`] for every app, on the replica that leads.
pub(super) struct Apps<F> {
    /// Returns every app in the store.
    source: F,
    leader: IntGauge,
    descriptions: [Desc; 3],
}

impl<F> Apps<F> {
    /// # Errors
    /// When a series has an invalid name: a mistake in the table.
    pub(super) fn new(source: F, leader: IntGauge) -> Result<Self> {
        let descriptions =
            [describe(table::APP_INFO)?, describe(table::CONDITION)?, describe(table::REJECTED)?];
        Ok(Self { source, leader, descriptions })
    }
}

impl<F> Collector for Apps<F>
where
    F: Fn() -> Vec<Arc<BlueGreenApp>> + Send + Sync,
{
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        if self.leader.get() == 0 {
            // Every replica has the store; each app is exported once.
            return Vec::new();
        }
        let (mut infos, mut conditions, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
        // An app that is being deleted needs nobody's attention any more.
        for app in (self.source)().iter().filter(|app| app.metadata.deletion_timestamp.is_none()) {
            collect_app(app, &mut infos, &mut conditions);
            rejected.extend(refusal(app));
        }
        vec![
            family(table::APP_INFO, MetricType::GAUGE, infos),
            family(table::CONDITION, MetricType::GAUGE, conditions),
            family(table::REJECTED, MetricType::GAUGE, rejected),
        ]
    }
}

impl<F> fmt::Debug for Apps<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Apps").finish_non_exhaustive()
    }
}

/// The series of an app whose spec asks for what a check has refused.
fn refusal(app: &BlueGreenApp) -> Option<Metric> {
    let rejected = app.status.as_ref()?.rejected.as_ref()?;
    let (namespace, name) = (app.namespace().unwrap_or_default(), app.name_any());
    Some(gauge(table::REJECTED, &[&namespace, &name, rejected.color.as_str(), &rejected.check], 1.0))
}

/// Adds the series of one app; none before it has a status.
fn collect_app(app: &BlueGreenApp, infos: &mut Vec<Metric>, conditions: &mut Vec<Metric>) {
    let Some(status) = &app.status else { return };
    let (namespace, name) = (app.namespace().unwrap_or_default(), app.name_any());
    let active = status.active.map_or("none", Color::as_str);
    infos.push(gauge(table::APP_INFO, &[&namespace, &name, active, app.spec.active.as_str()], 1.0));
    // By type: a series that is there twice would make the whole scrape invalid.
    let current: BTreeMap<_, _> =
        status.conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str())).collect();
    for (kind, current) in current {
        for status in table::STATUSES {
            let labels = [namespace.as_str(), &name, kind, status];
            let value = if status == current { 1.0 } else { 0.0 };
            conditions.push(gauge(table::CONDITION, &labels, value));
        }
    }
}
