//! A gauge with one value and no labels.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub(super) fn single(registry: &mut Registry, name: &str, help: &str, value: i64) {
    let gauge: Gauge = Gauge::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}
