//! A model package: a folder as Hugging Face exports it, with `model.onnx` (or another [model](PackageFiles)),
//! `tokenizer.json` and `config.json`, and optionally `tokenizer_config.json`, external data of the model, and
//! [`labelstream.json`](manifest::Manifest).
//!
//! Files are input: bounded in size, read once, held against their digests, and checked against each other before
//! anything runs. Malformed ones are errors that name the file and the place, never a panic. Nothing of a package is
//! code: custom operators are not loaded, and weights in other files are taken from inside the package alone.

pub mod calibration;
pub mod config;
pub mod error;
mod external;
pub mod files;
pub mod graph;
mod labels;
pub mod manifest;
mod tokenizer;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use schemas::ModelId;
use schemas::package_files::{CONFIG, MANIFEST, PackageFiles, TOKENIZER, TOKENIZER_CONFIG};
use tokenizers::Tokenizer;

use crate::label::Rules;
use crate::tokens::{LongText, TokenLimits, Tokens};
use config::ModelConfig;
use error::PackageError;
pub use external::ExternalFile;
use files::FileFacts;
use graph::GraphFacts;
use manifest::Manifest;
use tokenizer::{Content, TokenizerFacts};

/// Hexadecimal digits of the digest that stand for the version of a package without one.
const VERSION_DIGITS: usize = 12;

/// A package whose files were read and agree with each other. The model itself has not run yet.
pub struct Package {
    pub dir: PathBuf,
    pub id: ModelId,
    /// The files that decide the scores, and those that `labelstream.json` lists.
    pub files: Vec<FileFacts>,
    pub config: ModelConfig,
    pub manifest: Manifest,
    pub graph: GraphFacts,
    /// The content of the model's file.
    pub model: Vec<u8>,
    /// Weights that the model keeps in other files.
    pub external: Vec<ExternalFile>,
    /// Values of the graph that a softmax or sigmoid made.
    pub probabilities: BTreeSet<String>,
    /// What the drift worker compares with when no other reference is set.
    pub drift_reference: Option<ReferenceFile>,
    model_name: String,
    tokenizer: Tokenizer,
    facts: TokenizerFacts,
}

/// The drift reference of a package, held against its digest and not read any further here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceFile {
    pub file: PathBuf,
    pub content: Vec<u8>,
}

/// What a person says about a package beside where it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice<'a> {
    /// The model's name where `labelstream.json` says none, instead of the folder's.
    pub name: Option<&'a str>,
    /// The model to take, as a path inside the package, instead of `model.onnx` or the only one.
    pub model_file: Option<&'a str>,
}

impl Package {
    /// Reads a package.
    ///
    /// # Errors
    /// Names the file that is missing, too large, malformed, at odds with its digest or with another file.
    pub fn open(dir: &Path) -> Result<Self, PackageError> {
        Self::open_named(dir, None)
    }

    /// Reads a package; `name` is the model's where `labelstream.json` says none, instead of the folder's.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_named(dir: &Path, name: Option<&str>) -> Result<Self, PackageError> {
        Self::open_chosen(dir, Choice { name, model_file: None })
    }

    /// Reads a package, or one model of several in its folder.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_chosen(dir: &Path, choice: Choice<'_>) -> Result<Self, PackageError> {
        let PackageFiles { model: model_name, optional } = files::of_package(dir, choice.model_file)?;
        let (config, config_facts) = files::read(dir, CONFIG, files::JSON_BYTES_MAX)?;
        let config = ModelConfig::parse(&dir.join(CONFIG), &config)?;
        let mut all = vec![config_facts];
        let (manifest, manifest_facts) = read_manifest(dir, &config)?;
        all.extend(manifest_facts);
        let (tokenizer, tokenizer_facts) = files::read(dir, TOKENIZER, files::TOKENIZER_BYTES_MAX)?;
        let (model, model_facts) = files::read(dir, &model_name, files::MODEL_BYTES_MAX)?;
        all.extend([tokenizer_facts, model_facts]);
        let tokenizer_config = optional.iter().any(|name| name == TOKENIZER_CONFIG);
        let tokenizer_config =
            tokenizer_config.then(|| files::read(dir, TOKENIZER_CONFIG, files::JSON_BYTES_MAX)).transpose()?;
        all.extend(tokenizer_config.iter().map(|(_, facts)| facts.clone()));
        let found = graph::inspect(&model).map_err(|graph::Malformed { at }| not_onnx(dir, &model_name, &model, at))?;
        let external = external::read(dir, &model_name, &found, &mut all)?;
        let id = id(dir, choice.name, &manifest, &files::digest(&all));
        check_digests(dir, &manifest, &mut all)?;
        let drift_reference = read_reference(dir, &manifest, &mut all)?;

        let files = (dir.join(TOKENIZER), dir.join(TOKENIZER_CONFIG));
        let tokenizer_config = tokenizer_config.as_ref().map(|(bytes, _)| Content { file: &files.1, bytes });
        let (tokenizer, facts) = tokenizer::parse(Content { file: &files.0, bytes: &tokenizer }, tokenizer_config)?;
        let package = Self {
            dir: dir.to_owned(),
            id,
            files: all,
            config,
            manifest,
            graph: found.facts,
            model,
            external,
            probabilities: found.probabilities,
            drift_reference,
            model_name,
            tokenizer,
            facts,
        };
        package.check_vocabulary()?;
        Ok(package)
    }

    /// Where the model was read from.
    pub fn model_file(&self) -> PathBuf {
        self.dir.join(&self.model_name)
    }

    /// The tokenizer; `tokens_max` is the user's own limit in place of the package's.
    ///
    /// # Errors
    /// When the tokenizer's special tokens cannot be used, or the limit leaves no room or exceeds the model's positions.
    pub fn tokens(&self, tokens_max: Option<usize>, long_text: LongText) -> Result<Tokens, PackageError> {
        let tokens_max =
            tokens_max.or(self.manifest.tokens_max).unwrap_or_else(|| self.config.tokens_max(self.facts.tokens_max));
        if let Some(positions) = self.config.positions.filter(|positions| tokens_max > *positions) {
            return Err(PackageError::Field {
                file: self.dir.join(CONFIG),
                field: "max_position_embeddings".to_owned(),
                problem: format!("gives the model {positions} positions, but tokens_max is {tokens_max}"),
            });
        }
        let pad_id = self.config.pad_token_id.or(self.facts.padding).unwrap_or(0);
        let limits = TokenLimits { tokens_max, long_text };
        Tokens::from_tokenizer(self.tokenizer.clone(), self.facts.unknown, pad_id, limits)
            .map_err(|source| PackageError::Tokenizer { file: self.dir.join(TOKENIZER), source })
    }

    /// The part of a long text that the package's tokenizer keeps.
    pub fn long_text(&self) -> LongText {
        if self.facts.cuts_left { LongText::Tail } else { LongText::Head }
    }

    /// What a person should know of the package who did not make it; `tokens_max` is the user's own limit, if any.
    pub fn notes(&self, tokens_max: Option<usize>) -> Vec<String> {
        let is_limit_ours = tokens_max.or(self.manifest.tokens_max).is_none();
        let bare = "tokenizer.json has no post_processor: the model sees texts without special tokens";
        let bare = self.tokenizer.get_post_processor().is_none().then(|| bare.to_owned());
        let limit = self.facts.note.clone().filter(|_| is_limit_ours);
        self.config.note.clone().into_iter().chain(limit).chain(bare).collect()
    }

    /// The rules of the package itself, listing `top_k` labels.
    pub fn rules(&self, top_k: usize) -> Rules {
        let thresholds = &self.manifest.thresholds;
        Rules {
            problem_type: self.config.problem_type,
            names: self.config.labels.clone(),
            temperature: self.manifest.temperature,
            abstain_below: thresholds.abstain_below,
            thresholds: self.config.labels.iter().map(|label| thresholds.per_label.get(&**label).copied()).collect(),
            top_k,
        }
    }

    /// Every id of the tokenizer must have an embedding, or some texts would fail one by one.
    fn check_vocabulary(&self) -> Result<(), PackageError> {
        let highest = self.tokenizer.get_vocab(true).into_values().max();
        let ids = highest.map_or(0, |id| usize::try_from(id).unwrap_or(usize::MAX).saturating_add(1));
        match self.config.vocab_size {
            Some(size) if ids > size => Err(PackageError::Field {
                file: self.dir.join(CONFIG),
                field: "vocab_size".to_owned(),
                problem: format!("is {size}, but tokenizer.json has ids up to {}", ids - 1),
            }),
            _ => Ok(()),
        }
    }
}

fn id(dir: &Path, name: Option<&str>, manifest: &Manifest, digest: &str) -> ModelId {
    let folder = || {
        let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        dir.file_name().map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned())
    };
    let short = || digest.trim_start_matches("sha256:").chars().take(VERSION_DIGITS).collect();
    ModelId {
        name: manifest.name.clone().or_else(|| name.map(str::to_owned)).unwrap_or_else(folder),
        version: manifest.version.clone().unwrap_or_else(short),
        digest: digest.to_owned(),
    }
}

/// `labelstream.json`, where there is one, and what stands for it in the digest that names the package.
fn read_manifest(dir: &Path, config: &ModelConfig) -> Result<(Manifest, Option<FileFacts>), PackageError> {
    if !dir.join(MANIFEST).exists() {
        return Ok((Manifest::default(), None));
    }
    let (content, facts) = files::read(dir, MANIFEST, files::JSON_BYTES_MAX)?;
    let manifest = Manifest::parse(&dir.join(MANIFEST), &content)?;
    manifest.check(&dir.join(MANIFEST), config)?;
    let facts = if manifest.drift_reference.is_some() {
        files::facts(MANIFEST, &manifest::without_reference(&content))
    } else {
        facts
    };
    Ok((manifest, Some(facts)))
}

/// Holds every file that the manifest lists against its digest; files not read yet are added to `all`.
fn check_digests(dir: &Path, manifest: &Manifest, all: &mut Vec<FileFacts>) -> Result<(), PackageError> {
    for (name, listed) in &manifest.files {
        if !all.iter().any(|file| file.name == *name) {
            all.push(files::read(dir, name, files::MODEL_BYTES_MAX)?.1);
        }
        let found = all.iter().find(|file| file.name == *name).expect("the file was read");
        check_digest(dir, found, &listed.sha256, listed.bytes)?;
    }
    Ok(())
}

/// The drift reference, where the manifest names one: held against its digest and added to `all`.
fn read_reference(
    dir: &Path,
    manifest: &Manifest,
    all: &mut Vec<FileFacts>,
) -> Result<Option<ReferenceFile>, PackageError> {
    let Some(listed) = &manifest.drift_reference else { return Ok(None) };
    let (content, found) = files::read(dir, &listed.file, files::REFERENCE_BYTES_MAX)?;
    check_digest(dir, &found, &listed.sha256, listed.bytes)?;
    all.push(found);
    Ok(Some(ReferenceFile { file: dir.join(&listed.file), content }))
}

fn check_digest(dir: &Path, found: &FileFacts, sha256: &str, bytes: Option<u64>) -> Result<(), PackageError> {
    let file = dir.join(&found.name);
    if let Some(expected) = bytes.filter(|bytes| *bytes != found.bytes) {
        return Err(PackageError::Size { file, expected, found: found.bytes });
    }
    if !sha256.eq_ignore_ascii_case(&found.sha256) {
        return Err(PackageError::Digest { file, expected: sha256.to_owned(), found: found.sha256.clone() });
    }
    Ok(())
}

fn not_onnx(dir: &Path, name: &str, content: &[u8], at: usize) -> PackageError {
    let hint = if files::is_lfs_pointer(content) { error::LFS_HINT } else { "" };
    PackageError::NotOnnx { file: dir.join(name), at, hint }
}
