//! Drift reports as Parquet files, in a folder or in any S3 API, written so that a half file is never seen.
//!
//! A report becomes at most one file per table, named by window and revision: writing it again replaces the files by
//! the same bytes. `drift` is written last, so a report with a file there is whole. Tables without rows have no file.
//! Every method blocks its thread; a store that does not answer is asked again within a budget, and then the caller
//! gets [`schemas::Recovery::Retry`] and keeps the report.

mod attempts;
mod bucket;
mod columns;
mod error;
mod file;
mod folder;
mod layout;
mod leftovers;
mod refusal;
mod settings;
mod tables;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use schemas::report::{DriftRow, PerformanceRow, SummaryRow, WindowReport, WordRow};

use attempts::{Attempts, Call};
use bucket::Bucket;
use folder::{Folder, LEFTOVER_AGE};
use settings::Place;
use tables::Table;

pub use error::StoreError;
pub use layout::ReportName;
pub use settings::{ReportsConfig, ReportsSettings};

/// How long looking for leftovers may hold up the first write.
const LEFTOVER_WAIT: Duration = Duration::from_secs(10);

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// Where reports are kept. It can be shared between threads.
#[derive(Debug)]
pub struct ReportStore {
    backend: Backend,
    attempts: Attempts,
    /// Leftovers of killed processes have been looked for.
    tidied: AtomicBool,
}

#[derive(Debug)]
enum Backend {
    Folder(Folder),
    Bucket(Box<Bucket>),
}

/// Which reports a listing is about; `None` is all.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub model: Option<String>,
    /// ISO 8601, such as `PT1H`.
    pub granularity: Option<String>,
    /// Windows that begin at or after this moment, milliseconds since 1970 UTC.
    pub from_ms: Option<i64>,
    /// Windows that begin before this moment.
    pub until_ms: Option<i64>,
}

impl ReportStore {
    /// Opens a store and shows that it answers.
    ///
    /// # Errors
    /// When it does not answer in time, or says no; see [`StoreError::recovery`].
    pub fn open(config: &ReportsConfig) -> Result<Self, StoreError> {
        let attempts = Attempts::new(config);
        let deadline = attempts.deadline();
        let backend = match &config.place {
            Place::Folder(root) => {
                let call = Call { action: "open the report folder", place: &root.display().to_string() };
                Backend::Folder(attempts.run(call, deadline, || Folder::open(root))?)
            }
            Place::Bucket(place) => {
                let call = Call { action: "open the report store", place: &format!("s3://{}", place.bucket) };
                let bucket = attempts.run(call, deadline, || Bucket::new(place, config))?;
                attempts.run(call, deadline, || bucket.ask(deadline))?;
                Backend::Bucket(Box::new(bucket))
            }
        };
        Ok(Self { backend, attempts, tidied: AtomicBool::new(false) })
    }

    /// Writes a report: at most one file per table, and `drift` last. The full names of the files come back.
    ///
    /// # Errors
    /// With [`schemas::Recovery::Retry`] some files may be there already: writing the report again completes it.
    pub fn write(&self, report: &WindowReport) -> Result<Vec<String>, StoreError> {
        let files = [
            file_of::<SummaryRow>(report)?,
            file_of::<WordRow>(report)?,
            file_of::<PerformanceRow>(report)?,
            file_of::<DriftRow>(report)?,
        ];
        let deadline = self.attempts.deadline();
        let mut places = Vec::new();
        for (path, bytes) in files.into_iter().flatten() {
            let place = self.place(&path);
            let call = Call { action: "write", place: &place };
            self.attempts.run(call, deadline, || match &self.backend {
                Backend::Folder(folder) => folder.put(&path, &bytes),
                Backend::Bucket(bucket) => bucket.put(&path, &bytes, deadline),
            })?;
            places.push(place);
        }
        if !self.tidied.swap(true, Ordering::Relaxed)
            && let Err(error) = self.remove_leftovers(LEFTOVER_AGE)
        {
            tracing::debug!(%error, "failed to look for unfinished uploads");
        }
        Ok(places)
    }

    /// Removes what killed processes left unfinished in a bucket, when it began at least `age` ago, and says how many
    /// uploads that were. The first write of a process does so by itself, for an hour; in a folder every write does.
    ///
    /// # Errors
    /// When the store does not answer, or does not know the request: it is asked once.
    pub fn remove_leftovers(&self, age: Duration) -> Result<usize, StoreError> {
        let Backend::Bucket(bucket) = &self.backend else { return Ok(0) };
        let (mut removed, until) = (0, Instant::now() + LEFTOVER_WAIT);
        for table in tables::NAMES {
            let folder = format!("{}/", layout::table_folder(table));
            let call = Call { action: "tidy up", place: &self.place(&folder) };
            // A deadline that has passed: there is no second attempt.
            removed += self.attempts.run(call, Instant::now(), || bucket.remove_leftovers(&folder, age, until))?;
        }
        if removed > 0 {
            tracing::info!(uploads = removed, "removed unfinished uploads of dead processes");
        }
        Ok(removed)
    }

    /// From now on a call that fails does not wait to try again: for the end of the process.
    pub fn stop(&self) {
        self.attempts.stop();
    }

    /// The reports that are stored, in the order of model, granularity, start and revision.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn windows(&self, selection: &Selection) -> Result<Vec<ReportName>, StoreError> {
        let mut found = BTreeSet::new();
        for table in tables::NAMES {
            self.windows_of(table, selection, &mut found)?;
        }
        Ok(found.into_iter().collect())
    }

    /// All rows of a report.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when no table has a file of it, [`StoreError::Damaged`] for what is no report.
    pub fn read(&self, name: &ReportName) -> Result<WindowReport, StoreError> {
        let drift: Vec<DriftRow> = self.rows(name)?;
        let summary: Vec<SummaryRow> = self.rows(name)?;
        let performance: Vec<PerformanceRow> = self.rows(name)?;
        let words: Vec<WordRow> = self.rows(name)?;
        let keys = [drift.first().map(Table::key), summary.first().map(Table::key)];
        let more = [performance.first().map(Table::key), words.first().map(Table::key)];
        let key = keys.into_iter().chain(more).flatten().next().cloned();
        let Some(key) = key else {
            return Err(StoreError::NotFound { place: self.place(&name.path(DriftRow::NAME)?) });
        };
        Ok(WindowReport {
            model: name.model.clone(),
            granularity: name.granularity.clone(),
            key,
            drift,
            summary,
            performance,
            words,
        })
    }

    fn windows_of(
        &self,
        table: &str,
        selection: &Selection,
        found: &mut BTreeSet<ReportName>,
    ) -> Result<(), StoreError> {
        let from_ms = selection.from_ms.unwrap_or(i64::MIN);
        let until_ms = selection.until_ms.unwrap_or(i64::MAX);
        for model in self.values(&layout::table_folder(table), "model", selection.model.as_deref())? {
            let folder = layout::model_folder(table, &model);
            for granularity in self.values(&folder, "granularity", selection.granularity.as_deref())? {
                let folder = layout::granularity_folder(table, &model, &granularity);
                for day in self.names(&folder)? {
                    let Some(day_ms) = layout::day_start(&day) else { continue };
                    if day_ms.saturating_add(DAY_MS) <= from_ms || day_ms >= until_ms {
                        continue;
                    }
                    let files = self.names(&format!("{folder}/{day}"))?;
                    let windows = files.iter().filter_map(|file| layout::window_of(file, day_ms));
                    let wanted = windows.filter(|(start_ms, _)| (from_ms..until_ms).contains(start_ms));
                    found.extend(wanted.map(|(start_ms, revision)| ReportName {
                        model: model.clone(),
                        granularity: granularity.clone(),
                        start_ms,
                        revision,
                    }));
                }
            }
        }
        Ok(())
    }

    /// The values of the folders `column=value` in a folder, or the wanted one alone.
    fn values(&self, folder: &str, column: &str, wanted: Option<&str>) -> Result<Vec<String>, StoreError> {
        if let Some(wanted) = wanted {
            return Ok(vec![wanted.to_owned()]);
        }
        Ok(self.names(folder)?.iter().filter_map(|name| layout::folder_value(name, column)).collect())
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let (deadline, place) = (self.attempts.deadline(), self.place(folder));
        let call = Call { action: "list", place: &place };
        let found = self.attempts.run(call, deadline, || match &self.backend {
            Backend::Folder(store) => store.names(folder),
            Backend::Bucket(bucket) => bucket.names(folder, deadline),
        });
        match found {
            Err(StoreError::NotFound { .. }) => Ok(Vec::new()),
            found => found,
        }
    }

    /// The rows of a report in one table; none when it has no file there.
    fn rows<T: Table>(&self, name: &ReportName) -> Result<Vec<T>, StoreError> {
        let path = name.path(T::NAME)?;
        let (deadline, place) = (self.attempts.deadline(), self.place(&path));
        let call = Call { action: "read", place: &place };
        let bytes = self.attempts.run(call, deadline, || match &self.backend {
            Backend::Folder(folder) => folder.get(&path),
            Backend::Bucket(bucket) => bucket.get(&path, deadline),
        });
        match bytes {
            Err(StoreError::NotFound { .. }) => Ok(Vec::new()),
            bytes => {
                let rows = file::decode(bytes?);
                rows.map_err(|problem| StoreError::Damaged { place: place.clone(), table: T::NAME, problem })
            }
        }
    }

    /// Where the reports are, for people: a folder with its full path, or a bucket.
    pub fn location(&self) -> String {
        match &self.backend {
            Backend::Folder(folder) => folder.location(),
            Backend::Bucket(bucket) => bucket.name(""),
        }
    }

    /// The full name of a path, for people.
    fn place(&self, path: &str) -> String {
        match &self.backend {
            Backend::Folder(folder) => folder.place(path),
            Backend::Bucket(bucket) => bucket.name(path),
        }
    }
}

/// The file of one table of a report, with its path; `None` without rows.
fn file_of<T: Table>(report: &WindowReport) -> Result<Option<(String, Bytes)>, StoreError> {
    let rows = T::of(report);
    if rows.is_empty() {
        return Ok(None);
    }
    let name = ReportName {
        model: report.model.clone(),
        granularity: report.granularity.clone(),
        start_ms: report.key.window_start_ms,
        revision: report.key.revision,
    };
    debug_assert!(rows.iter().all(|row| *row.key() == report.key), "every row belongs to its report");
    Ok(Some((name.path(T::NAME)?, file::encode(rows)?)))
}

#[cfg(test)]
mod tests;
