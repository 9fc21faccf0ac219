//! The series of the apps, made from the store of apps at each scrape: an app that is deleted has none, and a pass never
//! waits for a scrape.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use kube::ResourceExt;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{IntGauge, Result};

use super::table::{self, Series};
use bluegreen_api::{BlueGreenApp, Color};

/// Renders [`table::APP_INFO`] and [`table::CONDITION`] for every app, on the replica that leads.
pub(super) struct Apps<F> {
    /// Returns every app in the store.
    source: F,
    leader: IntGauge,
    descriptions: [Desc; 2],
}

impl<F> Apps<F> {
    /// # Errors
    /// When a series has an invalid name: a mistake in the table.
    pub(super) fn new(source: F, leader: IntGauge) -> Result<Self> {
        let descriptions = [describe(table::APP_INFO)?, describe(table::CONDITION)?];
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
        let (mut infos, mut conditions) = (Vec::new(), Vec::new());
        // An app that is being deleted needs nobody's attention any more.
        for app in (self.source)().iter().filter(|app| app.metadata.deletion_timestamp.is_none()) {
            collect_app(app, &mut infos, &mut conditions);
        }
        vec![family(table::APP_INFO, infos), family(table::CONDITION, conditions)]
    }
}

impl<F> fmt::Debug for Apps<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Apps").finish_non_exhaustive()
    }
}

/// Adds the series of one app; none before it has a status.
fn collect_app(app: &BlueGreenApp, infos: &mut Vec<Metric>, conditions: &mut Vec<Metric>) {
    let Some(status) = &app.status else { return };
    let (namespace, name) = (app.namespace().unwrap_or_default(), app.name_any());
    let active = status.active.map_or("none", Color::as_str);
    infos.push(gauge(table::APP_INFO, &[&namespace, &name, active, app.spec.active.as_str()], true));
    // By type: a series that is there twice would make the whole scrape invalid.
    let current: BTreeMap<_, _> =
        status.conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str())).collect();
    for (kind, current) in current {
        for status in table::STATUSES {
            let labels = [namespace.as_str(), &name, kind, status];
            conditions.push(gauge(table::CONDITION, &labels, status == current));
        }
    }
}

/// One series: `values` are those of the table's labels, in the table's order.
fn gauge(series: Series, values: &[&str], is_set: bool) -> Metric {
    let mut labels: Vec<_> =
        series.labels.iter().zip(values).map(|(name, value)| label(name, value)).collect();
    labels.sort_by(|a, b| a.name().cmp(b.name()));
    let mut gauge = Gauge::default();
    gauge.set_value(if is_set { 1.0 } else { 0.0 });
    let mut metric = Metric::from_label(labels);
    metric.set_gauge(gauge);
    metric
}

fn label(name: &str, value: &str) -> LabelPair {
    let mut label = LabelPair::default();
    label.set_name(name.to_owned());
    label.set_value(value.to_owned());
    label
}

fn family(series: Series, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(series.name.to_owned());
    family.set_help(series.help.to_owned());
    family.set_field_type(MetricType::GAUGE);
    family.set_metric(metrics);
    family
}

fn describe(series: Series) -> Result<Desc> {
    let labels = series.labels.iter().map(|label| (*label).to_owned()).collect();
    Desc::new(series.name.to_owned(), series.help.to_owned(), labels, HashMap::new())
}
