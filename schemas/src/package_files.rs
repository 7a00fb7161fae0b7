//! Which files of a folder make a model package, by name alone, and what to do when one is missing.
//!
//! A package is read from a folder and fetched from a registry by two rooms that do not know each other; both ask here,
//! so that they take the same files and give the same advice. What is inside the files is the classifier's.

/// Labels and sizes of the model, as `save_pretrained` of Hugging Face writes them.
pub const CONFIG: &str = "config.json";
/// How a text becomes token ids.
pub const TOKENIZER: &str = "tokenizer.json";
/// How long texts are cut; optional.
pub const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
/// What a package says about itself; optional.
pub const MANIFEST: &str = "labelstream.json";
/// The model where nobody chooses another; the first that is there.
const MODELS: [&str; 2] = ["model.onnx", "onnx/model.onnx"];
/// The folder that Optimum exports into.
const MODEL_FOLDER: &str = "onnx/";
/// What follows a model's name in the names of its external data: `model.onnx_data`, `model.onnx.data`.
const DATA_SUFFIXES: [&str; 2] = ["_data", ".data"];
/// Names in a message.
const NAMES_MAX: usize = 12;

/// The files of a package that its names tell; `labelstream.json` may list more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageFiles {
    /// Path of the model inside the package.
    pub model: String,
    /// Files that are used where they are there: the tokenizer's settings, the model's external data.
    pub optional: Vec<String>,
}

/// A file that a package needs and a folder lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The name, or the names of which one would do.
    pub expected: String,
    /// What the folder has instead, for a message.
    pub found: String,
    /// What to do about it, as a command where one helps.
    pub advice: Option<String>,
}

impl PackageFiles {
    /// Finds the files among the names of a folder; `chosen` is the model that a person named (`model.file`), and `place`
    /// what advice calls the folder: its path, or a repository.
    ///
    /// # Errors
    /// When the model, the tokenizer or the configuration is missing, or several models are there and none is chosen.
    pub fn find(names: &[&str], chosen: Option<&str>, place: &str) -> Result<Self, Lack> {
        let lack = |expected: &str, advice| Lack { expected: expected.to_owned(), found: listed(names), advice };
        let model = model(names, chosen, place).map_err(|(expected, advice)| lack(&expected, advice))?;
        if !names.contains(&TOKENIZER) {
            return Err(lack(TOKENIZER, tokenizer_advice(names, place)));
        }
        if !names.contains(&CONFIG) {
            let advice = "it is what `model.config.save_pretrained(FOLDER)` of transformers writes".to_owned();
            return Err(lack(CONFIG, Some(advice)));
        }
        let is_optional = |name: &&str| **name == *TOKENIZER_CONFIG || is_data_of(&model, name);
        let optional = names.iter().copied().filter(is_optional).map(str::to_owned).collect();
        Ok(Self { model, optional })
    }
}

/// True for a file that holds a model's external data by its name.
fn is_data_of(model: &str, name: &str) -> bool {
    name.strip_prefix(model).is_some_and(|rest| DATA_SUFFIXES.iter().any(|suffix| rest.starts_with(suffix)))
}

fn model(names: &[&str], chosen: Option<&str>, place: &str) -> Result<String, (String, Option<String>)> {
    let models: Vec<&str> = names.iter().copied().filter(|name| is_model(name)).collect();
    let choose = |models: &[&str]| {
        let all = models.join(", ");
        models.first().map(|first| format!("choose one of {all}: --set model.file={first}"))
    };
    if let Some(chosen) = chosen {
        let is_there = names.contains(&chosen);
        return if is_there { Ok(chosen.to_owned()) } else { Err((chosen.to_owned(), choose(&models))) };
    }
    if let Some(usual) = MODELS.iter().find(|name| names.contains(name)) {
        return Ok((*usual).to_owned());
    }
    match models.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => Err((MODELS.join(" or "), export_advice(names, place))),
        several => Err((MODELS.join(" or "), choose(several))),
    }
}

/// A model where Optimum or a person puts it: beside the other files, or in `onnx/`.
fn is_model(name: &str) -> bool {
    name.ends_with(".onnx") && !name.strip_prefix(MODEL_FOLDER).unwrap_or(name).contains('/')
}

/// How weights of a training framework become `model.onnx`.
fn export_advice(names: &[&str], place: &str) -> Option<String> {
    let is_weights = |name: &&&str| {
        let ends = [".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack"];
        ends.iter().any(|end| name.ends_with(end))
    };
    let weights = names.iter().find(is_weights)?;
    Some(format!(
        "{weights} holds weights that are not in ONNX: `pip install \"optimum-onnx[onnxruntime]\"`, then `optimum-cli \
         export onnx --model {place} --task text-classification FOLDER`"
    ))
}

/// How a tokenizer of another format becomes `tokenizer.json`.
fn tokenizer_advice(names: &[&str], place: &str) -> Option<String> {
    const SOURCES: [&str; 5] =
        ["vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model"];
    let source = names.iter().find(|name| SOURCES.contains(name) || **name == TOKENIZER_CONFIG)?;
    // A path is quoted twice: for Python, and for the shell around it.
    let python = format!("{place:?}").replace('\'', "'\\''");
    Some(format!(
        "create it from {source}: `python -c 'from transformers import AutoTokenizer; \
         AutoTokenizer.from_pretrained({python}).save_pretrained({python})'`"
    ))
}

/// Names for a message: some of them.
pub fn listed(names: &[&str]) -> String {
    if names.is_empty() {
        return "no files".to_owned();
    }
    let more = if names.len() > NAMES_MAX { " and more" } else { "" };
    format!("{}{more}", names[..names.len().min(NAMES_MAX)].join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHERS: [&str; 2] = ["config.json", "tokenizer.json"];

    fn find(models: &[&str], chosen: Option<&str>) -> Result<PackageFiles, Lack> {
        PackageFiles::find(&[&OTHERS, models].concat(), chosen, "/srv/model")
    }

    #[test]
    fn the_usual_model_wins_then_the_only_one_then_the_chosen_one() {
        for (models, chosen, expected) in [
            (&["model.onnx", "onnx/model.onnx", "model_int8.onnx"][..], None, "model.onnx"),
            (&["onnx/model.onnx", "onnx/model_fp16.onnx"], None, "onnx/model.onnx"),
            (&["model_quantized.onnx"], None, "model_quantized.onnx"),
            (&["onnx/model_int8.onnx", "openvino/model.onnx"], None, "onnx/model_int8.onnx"),
            (&["model.onnx", "onnx/model_fp16.onnx"], Some("onnx/model_fp16.onnx"), "onnx/model_fp16.onnx"),
            (&["deep/er/model.onnx"], Some("deep/er/model.onnx"), "deep/er/model.onnx"),
        ] {
            assert_eq!(find(models, chosen).map(|files| files.model).as_deref(), Ok(expected), "{models:?}");
        }
    }

    #[test]
    fn several_models_or_another_than_the_chosen_one_are_listed_with_how_to_choose() {
        let lack = find(&["onnx/model_fp16.onnx", "onnx/model_int8.onnx"], None).expect_err("two models");
        assert_eq!(lack.expected, "model.onnx or onnx/model.onnx");
        let advice = "choose one of onnx/model_fp16.onnx, onnx/model_int8.onnx: --set model.file=onnx/model_fp16.onnx";
        assert_eq!(lack.advice.as_deref(), Some(advice));
        let lack = find(&["model.onnx"], Some("model_fp16.onnx")).expect_err("another model");
        assert_eq!(lack.expected, "model_fp16.onnx");
        assert_eq!(lack.advice.as_deref(), Some("choose one of model.onnx: --set model.file=model.onnx"));
    }

    #[test]
    fn external_data_and_the_tokenizers_settings_come_along() {
        let names = [
            "model.onnx_data",
            "model.onnx_data_1",
            "model.onnx.data",
            "model.onnx",
            "model_fp16.onnx_data",
            "onnx/model.onnx_data",
            "tokenizer_config.json",
            "vocab.txt",
        ];
        let files = find(&names, None).expect("a package");
        let expected = ["model.onnx_data", "model.onnx_data_1", "model.onnx.data", "tokenizer_config.json"];
        assert_eq!(files.optional, expected);
    }

    #[test]
    fn what_is_missing_is_named_with_the_command_that_makes_it() {
        let check = |names: &[&str], expected: &str, advice: &str| {
            let lack = PackageFiles::find(names, None, "/srv/it's").expect_err("something is missing");
            assert_eq!(lack.expected, expected);
            assert!(lack.advice.as_deref().unwrap_or_default().contains(advice), "{names:?}: {lack:?}");
        };
        let export = "optimum-cli export onnx --model /srv/it's --task text-classification FOLDER";
        for weights in ["model.safetensors", "pytorch_model.bin", "tf_model.h5", "model-00001-of-00002.safetensors"] {
            check(&[weights, "config.json", "vocab.txt"], "model.onnx or onnx/model.onnx", export);
        }
        let line = r#"python -c 'from transformers import AutoTokenizer; AutoTokenizer.from_pretrained("/srv/it'\''s").save_pretrained("/srv/it'\''s")'"#;
        for source in ["vocab.txt", "vocab.json", "sentencepiece.bpe.model", "tokenizer_config.json"] {
            check(&["model.onnx", "config.json", source], TOKENIZER, line);
        }
        check(&["model.onnx", "tokenizer.json"], CONFIG, "model.config.save_pretrained");
        let lack = PackageFiles::find(&[], None, "a").expect_err("nothing is there");
        assert_eq!((lack.found.as_str(), lack.advice), ("no files", None));
    }
}
