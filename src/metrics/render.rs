//! Builds series for collectors that make them at each scrape.

use std::collections::HashMap;

use prometheus::Result;
use prometheus::core::Desc;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use super::table::Series;

/// One series of a gauge: `values` are those of the table's labels, in the table's order.
pub(super) fn gauge(series: Series, values: &[&str], value: f64) -> Metric {
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    let mut metric = labeled(series, values);
    metric.set_gauge(gauge);
    metric
}

/// One series of a counter, as [`gauge`].
pub(super) fn counter(series: Series, values: &[&str], value: f64) -> Metric {
    let mut counter = Counter::default();
    counter.set_value(value);
    let mut metric = labeled(series, values);
    metric.set_counter(counter);
    metric
}

fn labeled(series: Series, values: &[&str]) -> Metric {
    // An empty label is the same as none.
    let with_values = series.labels.iter().zip(values).filter(|(_, value)| !value.is_empty());
    let mut labels: Vec<_> = with_values.map(|(name, value)| label(name, value)).collect();
    labels.sort_by(|a, b| a.name().cmp(b.name()));
    Metric::from_label(labels)
}

fn label(name: &str, value: &str) -> LabelPair {
    let mut label = LabelPair::default();
    label.set_name(name.to_owned());
    label.set_value(value.to_owned());
    label
}

/// All series of one name.
pub(super) fn family(series: Series, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(series.name.to_owned());
    family.set_help(series.help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

/// # Errors
/// When a series has an invalid name: a mistake in the table.
pub(super) fn describe(series: Series) -> Result<Desc> {
    let labels = series.labels.iter().map(|label| (*label).to_owned()).collect();
    Desc::new(series.name.to_owned(), series.help.to_owned(), labels, HashMap::new())
}
