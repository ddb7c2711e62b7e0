//! What the thread that reads tells the one that answers, and the other way round.

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

type Label = Vec<(&'static str, String)>;

/// What is counted.
#[derive(Debug, Default)]
pub struct Meter {
    records: Family<Label, Counter>,
    unparsed: Family<Label, Counter>,
    bytes: Family<Label, Counter>,
    lag: Family<Label, Gauge>,
    failure: Mutex<Option<String>>,
}

/// What is counted of one file.
#[derive(Debug, Clone)]
pub struct Counts {
    pub records: Counter,
    pub unparsed: Counter,
    pub bytes: Counter,
    pub lag: Gauge,
}

impl Meter {
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "motif_log_records",
            "Records written, by the name their file was found under",
            self.records.clone(),
        );
        registry.register(
            "motif_log_unparsed",
            "Records that could not be parsed",
            self.unparsed.clone(),
        );
        registry.register_with_unit(
            "motif_log",
            "Bytes of files that are in records",
            Unit::Bytes,
            self.bytes.clone(),
        );
        registry.register_with_unit(
            "motif_log_lag",
            "Bytes that are in files, but not in records yet",
            Unit::Bytes,
            self.lag.clone(),
        );
    }

    /// Those of a file.
    pub fn counts(&self, path: &Path) -> Counts {
        let label = vec![("file", path.to_string_lossy().into_owned())];
        Counts {
            records: self.records.get_or_create(&label).clone(),
            unparsed: self.unparsed.get_or_create(&label).clone(),
            bytes: self.bytes.get_or_create(&label).clone(),
            lag: self.lag.get_or_create(&label).clone(),
        }
    }

    /// Keeps why the output can't be written; says whether that changed from or to working.
    pub fn set_failure(&self, failure: Option<String>) -> bool {
        let mut kept = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let is_other = kept.is_some() != failure.is_some();
        *kept = failure;
        is_other
    }

    /// Whether records are written; if not, why.
    pub fn readiness(&self) -> Result<(), String> {
        let kept = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some(reason) => Err(format!("the output is not written: {reason}")),
            None => Ok(()),
        }
    }
}

/// Tells the thread that reads until when it may go on.
#[derive(Debug, Default)]
pub struct Stop(OnceLock<Instant>);

impl Stop {
    pub fn by(&self, deadline: Instant) {
        // The first signal counts.
        let _ = self.0.set(deadline);
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.0.get().copied()
    }
}
