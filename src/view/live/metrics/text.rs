//! Families of numbers in the text format of `OpenMetrics`, as the crate prometheus-client writes it.

use std::fmt::{self, Write as _};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelValue, LabelValueEncoder, MetricEncoder, NoLabelSet, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::Histogram;

/// What kind of numbers a family holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Only rises; the name gets `_total`.
    Counter,
    /// Rises and falls.
    Gauge,
    /// How often a value fell between bounds.
    Histogram,
}

/// One number, or one histogram.
#[derive(Debug)]
pub(super) enum Value {
    Whole(u64),
    Float(f64),
    Histogram(Histogram),
}

/// Numbers of one name.
#[derive(Debug)]
pub(super) struct Family {
    kind: Kind,
    name: &'static str,
    help: &'static str,
    rows: Vec<(Vec<(&'static str, Escaped)>, Value)>,
}

impl Family {
    /// One without numbers; it is not shown as long as it has none.
    pub(super) fn new(kind: Kind, name: &'static str, help: &'static str) -> Self {
        Self { kind, name, help, rows: Vec::new() }
    }

    /// With numbers under labels.
    pub(super) fn rows(
        mut self,
        rows: impl IntoIterator<Item = (Vec<(&'static str, String)>, Value)>,
    ) -> Self {
        self.rows.extend(rows.into_iter().map(|(labels, value)| {
            (labels.into_iter().map(|(name, value)| (name, Escaped(value))).collect(), value)
        }));
        self
    }

    /// With one number without labels.
    pub(super) fn alone(self, count: u64) -> Self {
        self.rows([(Vec::new(), Value::Whole(count))])
    }

    /// With one number under these labels.
    pub(super) fn with<const N: usize>(
        self,
        labels: [(&'static str, &str); N],
        value: Value,
    ) -> Self {
        self.rows([(labels.map(|(name, value)| (name, value.to_owned())).into(), value)])
    }

    /// With a number for each value of one label.
    pub(super) fn by(
        self,
        label: &'static str,
        counts: impl IntoIterator<Item = (String, u64)>,
    ) -> Self {
        self.each(&Vec::new(), label, counts)
    }

    /// With a number for each value of one label, under other labels too.
    pub(super) fn each(
        self,
        labels: &[(&'static str, String)],
        label: &'static str,
        counts: impl IntoIterator<Item = (String, u64)>,
    ) -> Self {
        self.rows(counts.into_iter().map(|(value, count)| {
            let labels = labels.iter().cloned().chain([(label, value)]);
            (labels.collect(), Value::Whole(count))
        }))
    }
}

/// A label value, which the crate writes as it is given.
#[derive(Debug)]
struct Escaped(String);

impl EncodeLabelValue for Escaped {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\\' => encoder.write_str("\\\\")?,
                '"' => encoder.write_str("\\\"")?,
                '\n' => encoder.write_str("\\n")?,
                c => encoder.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// The families as the crate asks for them.
#[derive(Debug)]
struct Page(Vec<Family>);

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in self.0.iter().filter(|family| !family.rows.is_empty()) {
            let kind = match family.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let mut metric = encoder.encode_descriptor(family.name, family.help, None, kind)?;
            for (labels, value) in &family.rows {
                if labels.is_empty() {
                    encode(&mut metric, family.kind, value)?;
                } else {
                    encode(&mut metric.encode_family(labels)?, family.kind, value)?;
                }
            }
        }
        Ok(())
    }
}

fn encode(metric: &mut MetricEncoder<'_>, kind: Kind, value: &Value) -> fmt::Result {
    match (kind, value) {
        (Kind::Counter, Value::Whole(count)) => {
            metric.encode_counter::<NoLabelSet, _, u64>(count, None)
        }
        (Kind::Counter, Value::Float(count)) => {
            metric.encode_counter::<NoLabelSet, _, u64>(count, None)
        }
        (_, Value::Whole(count)) => metric.encode_gauge(count),
        (_, Value::Float(count)) => metric.encode_gauge(count),
        (_, Value::Histogram(histogram)) => {
            let bounds = histogram.bounds.iter().copied().chain([f64::MAX]);
            let buckets: Vec<_> = bounds.zip(histogram.counts.iter().copied()).collect();
            let (sum, count) = (histogram.sum, histogram.count());
            metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
        }
    }
}

/// The page with these families.
pub(super) fn write(families: Vec<Family>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Page(families)));
    let mut page = String::new();
    // Only a full string could refuse, and a string is never full.
    let _ = text::encode(&mut page, &registry);
    page
}
