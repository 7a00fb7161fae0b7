//! The ceiling: the same labeller on the same texts, without Kafka.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use engine::Client;
use engine::load;
use engine::settings::{Config, Settings};

/// The default `batch.records_max` of the stream.
const WINDOW: usize = 256;

pub(crate) struct Bare {
    model: Client,
}

impl Bare {
    /// Loads the package, with its cache off: rounds repeat the texts.
    pub(crate) fn load(package: &Path, sessions: usize) -> Result<Self, Box<dyn Error>> {
        let settings = Settings { sessions, cache_entries: 0, ..Settings::of_package(package.to_owned()) };
        let config = Config::try_from(settings).map_err(|problems| format!("{problems:?}"))?;
        Ok(Self { model: load::load(&config)? })
    }

    /// The engine that it runs on.
    pub(crate) fn client(&self) -> &Client {
        &self.model
    }

    pub(crate) fn texts_per_second(&self, texts: &[String]) -> Result<f64, Box<dyn Error>> {
        let started = Instant::now();
        for window in texts.chunks(WINDOW) {
            let window: Vec<&str> = window.iter().map(String::as_str).collect();
            self.model.predict(&window)?;
        }
        Ok(texts.len() as f64 / started.elapsed().as_secs_f64())
    }
}
