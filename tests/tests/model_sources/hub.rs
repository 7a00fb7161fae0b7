//! `hf://`, from a server that answers as the Hugging Face hub does.

use std::fs;
use std::thread;

use engine::package::Package;
use packages::error::FetchError;

use crate::server::{Route, Server, sha256};
use crate::tiny::Graph;
use crate::{Fetching, files, label, manifest, tiny_files};

const ONE: &str = "1111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222";
const ADDRESS: &str = "hf://acme/intents";

fn hub() -> (Server, Fetching) {
    let (server, mut fetching) = (Server::start(), Fetching::new());
    server.hub("acme/intents", ONE, &tiny_files("first"));
    fetching.variables.push(("HF_ENDPOINT", server.url("")));
    (server, fetching)
}

#[test]
fn a_package_is_fetched_once_and_starts_without_the_hub() {
    let (server, mut fetching) = hub();
    let fetched = fetching.fetch(ADDRESS).expect("the hub has it");
    assert_eq!(label(&fetched), "first");
    let package = Package::open_named(&fetched.folder, fetched.name.as_deref()).expect("a package");
    assert_eq!(package.id.name, "acme/intents", "not the name of a folder in the cache");
    assert_eq!(fetched.resolved.as_ref().expect("it was elsewhere").0, format!("commit {ONE}"));

    server.asked();
    assert_eq!(fetching.fetch(ADDRESS).expect("the hub has it"), fetched);
    assert_eq!(server.asked(), ["/api/models/acme/intents/revision/main?blobs=true"], "only where the branch is");
    server.go();
    assert_eq!(fetching.fetch(ADDRESS).expect("what the hub said last"), fetched);
    let by_commit = fetching.fetch(&format!("{ADDRESS}@{ONE}")).expect_err("never asked for by this name");
    assert!(matches!(by_commit, FetchError::Unreachable { attempts: 3, .. }), "{by_commit}");

    server.return_again();
    server.asked();
    fetching.settings.refresh = false;
    assert_eq!(fetching.fetch(ADDRESS).expect("in the cache"), fetched);
    fetching.settings.offline = true;
    assert_eq!(fetching.fetch(ADDRESS).expect("in the cache"), fetched);
    let error = fetching.fetch("hf://acme/other").expect_err("nobody may be asked").to_string();
    assert!(error.contains("hf://acme/other@main: it is not in the cache"), "{error}");
    assert!(server.asked().is_empty(), "nobody was asked");
}

#[test]
fn a_commit_is_asked_for_once() {
    let (server, fetching) = hub();
    let address = format!("{ADDRESS}@{ONE}");
    let fetched = fetching.fetch(&address).expect("the hub has it");
    server.asked();
    assert_eq!(fetching.fetch(&address).expect("in the cache"), fetched);
    assert!(server.asked().is_empty());
}

#[test]
fn a_branch_that_moved_is_another_package_at_the_next_start() {
    let (server, fetching) = hub();
    let first = fetching.fetch(ADDRESS).expect("the hub has it");
    server.hub("acme/intents", TWO, &tiny_files("second"));
    let second = fetching.fetch(ADDRESS).expect("the hub has it");
    assert_eq!((label(&first).as_str(), label(&second).as_str()), ("first", "second"));
    assert_ne!(first.folder, second.folder);
    assert_eq!(fetching.packages().len(), 2);
}

#[test]
fn bytes_that_the_hub_did_not_promise_are_refused() {
    let (server, fetching) = hub();
    let model = tiny_files("first").into_iter().find(|(name, _)| name == "model.onnx").expect("a model").1;
    let config = format!("/acme/intents/resolve/{ONE}/config.json");
    for path in [format!("/cdn/{}", sha256(&model)), config] {
        let mut before = Vec::new();
        server.change(&path, |route| {
            before.clone_from(&route.body);
            route.body[0] ^= 1;
        });
        let error = fetching.refusal(ADDRESS);
        assert!(error.contains("is not what the hub promises: expected") && error.contains("found"), "{error}");
        server.change(&path, |route| route.body = before);
    }
    server.change(&format!("/acme/intents/resolve/{ONE}/tokenizer.json"), |route| route.body.push(b' '));
    let error = fetching.refusal(ADDRESS);
    assert!(error.contains("tokenizer.json is not what its listing promises"), "{error}");
    server.change(&format!("/acme/intents/resolve/{ONE}/tokenizer.json"), |route| {
        route.body.pop();
    });
    fetching.fetch(ADDRESS).expect("the hub is well again");
}

#[test]
fn bytes_that_labelstream_json_does_not_promise_are_refused() {
    let (server, fetching) = (Server::start(), Fetching::new());
    let mut files = tiny_files("first");
    files.push(manifest(&files));
    files.iter_mut().find(|(name, _)| name == "tokenizer.json").expect("a tokenizer").1.push(b' ');
    server.hub("acme/intents", ONE, &files);
    let mut fetching = fetching;
    fetching.settings.hub_endpoint = Some(server.url(""));
    let error = fetching.refusal(ADDRESS);
    assert!(error.contains("tokenizer.json is not what labelstream.json promises"), "{error}");
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_was() {
    let (server, fetching) = hub();
    let model = tiny_files("first").into_iter().find(|(name, _)| name == "model.onnx").expect("a model").1;
    let path = format!("/cdn/{}", sha256(&model));
    server.change(&path, |route| route.cuts = 4);
    fetching.fetch(ADDRESS).expect("each attempt brings some of it");
    let half = model.len() / 2;
    let asked: Vec<_> = server.asked().into_iter().filter(|line| line.starts_with(&path)).collect();
    assert_eq!(asked.len(), 5, "{asked:?}");
    assert_eq!(asked[1], format!("{path} bytes={half}-"), "{asked:?}");

    // A server that knows no ranges sends all of it again.
    let other = Fetching { variables: fetching.variables.clone(), ..Fetching::new() };
    server.change(&path, |route| (route.cuts, route.is_whole) = (1, true));
    assert_eq!(label(&other.fetch(ADDRESS).expect("the second attempt is whole")), "first");

    // One that always breaks off at the same place is given up.
    let third = Fetching { variables: fetching.variables.clone(), ..Fetching::new() };
    server.change(&path, |route| route.cuts = usize::MAX);
    let error = third.fetch(ADDRESS).expect_err("never whole");
    assert!(matches!(error, FetchError::Unreachable { attempts: 3, .. }), "{error}");
    assert!(third.packages().is_empty(), "nothing half can be seen");
}

#[test]
fn a_damaged_package_is_fetched_again() {
    let (server, mut fetching) = hub();
    let fetched = fetching.fetch(ADDRESS).expect("the hub has it");
    fs::write(fetched.folder.join("config.json"), "{}").expect("writable");
    assert_eq!(fetching.fetch(ADDRESS).expect("the hub has it"), fetched);
    assert_eq!(label(&fetched), "first");

    fs::remove_file(fetched.folder.join("model.onnx")).expect("writable");
    server.go();
    assert!(matches!(fetching.fetch(ADDRESS), Err(FetchError::Unreachable { .. })));
    fetching.settings.offline = true;
    let error = fetching.fetch(ADDRESS).expect_err("nobody may be asked").to_string();
    assert!(error.contains("the package in the cache is damaged"), "{error}");
}

#[test]
fn a_token_goes_to_the_hub_and_not_to_where_it_redirects() {
    let (storage, (server, mut fetching)) = (Server::start(), hub());
    let model = tiny_files("first").into_iter().find(|(name, _)| name == "model.onnx").expect("a model").1;
    storage.set("/blob", Route::of(model));
    server.change(&format!("/acme/intents/resolve/{ONE}/model.onnx"), |route| {
        route.headers = vec![("Location", storage.url("/blob"))];
    });
    fetching.variables.push(("HF_TOKEN", "hunter2".to_owned()));
    fetching.fetch(ADDRESS).expect("the storage has it");
    assert!(server.asked().iter().all(|line| line.ends_with("Bearer hunter2")));
    assert_eq!(storage.asked(), ["/blob"]);
}

#[test]
fn one_process_downloads_while_others_wait() {
    let (server, fetching) = hub();
    let folders: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| fetching.fetch(ADDRESS))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic").expect("the hub has it").folder).collect()
    });
    assert!(folders.iter().all(|folder| *folder == folders[0]));
    let model = server.asked().into_iter().filter(|line| line.starts_with("/cdn/")).count();
    assert_eq!(model, 1, "the model was fetched once");
}

#[test]
fn what_the_hub_refuses_is_explained() {
    let (server, fetching) = hub();
    let check = |address: &str, expected: &[&str]| {
        let error = fetching.refusal(address);
        for part in expected {
            assert!(error.contains(part), "expected {part}, found {error}");
        }
    };
    let at = server.url("/");
    check(
        "hf://acme/absent",
        &["hf://acme/absent@main", &at, "no such repository or revision", "404: Entry not found"],
    );
    let private = Route { status: 401, body: b"Invalid username or password.".to_vec(), ..Route::default() };
    server.set("/api/models/acme/private/revision/main?blobs=true", private);
    check("hf://acme/private", &["set HF_TOKEN", "401: Invalid username or password."]);
    server.set("/api/models/acme/page/revision/main?blobs=true", Route::of("<html>"));
    check("hf://acme/page", &["does not respond like the Hugging Face hub"]);
    server.hub("acme/torch", ONE, &[("pytorch_model.bin".to_owned(), vec![0]), ("config.json".to_owned(), vec![0])]);
    let export = "optimum-cli export onnx --model acme/torch --task text-classification";
    let found = "expected model.onnx or onnx/model.onnx in it, found pytorch_model.bin, config.json";
    check("hf://acme/torch", &[found, export]);
    let vocabulary = ["model.onnx", "vocab.txt", "config.json"].map(|name| (name.to_owned(), vec![0]));
    server.hub("acme/vocab", ONE, &vocabulary);
    check("hf://acme/vocab", &["expected tokenizer.json in it", "AutoTokenizer.from_pretrained(\"acme/vocab\")"]);
}

#[test]
fn a_model_below_onnx_is_taken_and_other_files_are_left_where_they_are() {
    let (server, mut fetching) = (Server::start(), Fetching::new());
    let mut files = tiny_files("first");
    files.iter_mut().for_each(|(name, _)| {
        if name == "model.onnx" {
            *name = "onnx/model.onnx".to_owned();
        }
    });
    files.push(("pytorch_model.bin".to_owned(), vec![0; 1000]));
    server.hub("acme/intents", ONE, &files);
    fetching.settings.hub_endpoint = Some(server.url(""));
    let fetched = fetching.fetch(ADDRESS).expect("the hub has it");
    assert_eq!(label(&fetched), "first");
    assert!(!fetched.folder.join("pytorch_model.bin").exists());
}

/// The files of the tiny package with another model and with what Hugging Face's libraries write beside it.
fn exported(models: &[(&str, Vec<u8>)]) -> Vec<(String, Vec<u8>)> {
    let mut files = tiny_files("first");
    files.retain(|(name, _)| name != "model.onnx");
    files.extend(models.iter().map(|(name, content)| ((*name).to_owned(), content.clone())));
    files.push(("tokenizer_config.json".to_owned(), br#"{"truncation_side": "left"}"#.to_vec()));
    files.push(("vocab.txt".to_owned(), b"good".to_vec()));
    files
}

#[test]
fn external_data_and_the_settings_of_the_tokenizer_are_fetched_with_the_model() {
    let (server, mut fetching) = (Server::start(), Fetching::new());
    let graph = Graph { external: Some("model.onnx_data"), ..Graph::default() };
    let files = exported(&[("onnx/model.onnx", graph.bytes()), ("onnx/model.onnx_data", graph.data())]);
    server.hub("acme/intents", ONE, &files);
    fetching.settings.hub_endpoint = Some(server.url(""));
    let fetched = fetching.fetch(ADDRESS).expect("the hub has it");
    let package = Package::open(&fetched.folder).unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<&str> = package.files.iter().map(|file| file.name.as_str()).collect();
    assert!(names.contains(&"onnx/model.onnx_data") && names.contains(&"tokenizer_config.json"), "{names:?}");
    assert!(!fetched.folder.join("vocab.txt").exists());
}

#[test]
fn one_of_several_models_is_chosen_by_a_setting() {
    let (server, mut fetching) = (Server::start(), Fetching::new());
    let model = |version: u64| Graph { width: version, ..Graph::default() }.bytes();
    let only = [("onnx/model_quantized.onnx", model(0))];
    server.hub("acme/only", ONE, &exported(&only));
    server.hub("acme/several", ONE, &exported(&[("onnx/model_fp16.onnx", model(2)), only[0].clone()]));
    fetching.settings.hub_endpoint = Some(server.url(""));
    let fetched = fetching.fetch("hf://acme/only").expect("there is only one");
    assert!(fetched.folder.join("onnx/model_quantized.onnx").exists());

    let error = fetching.fetch("hf://acme/several").expect_err("which one?").to_string();
    let expected = "choose one of onnx/model_fp16.onnx, onnx/model_quantized.onnx: --set model.file=";
    assert!(error.contains(expected), "{error}");
    let mut folders = Vec::new();
    for name in ["onnx/model_fp16.onnx", "onnx/model_quantized.onnx", "onnx/model_fp16.onnx"] {
        fetching.model_file = Some(name.to_owned());
        let fetched = fetching.fetch("hf://acme/several").unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(fetched.folder.join(name).exists(), "{name}");
        assert_eq!(files(&fetched.folder.join("onnx")).len(), 1, "only what was chosen");
        folders.push(fetched.folder);
    }
    assert!(folders[0] == folders[2] && folders[0] != folders[1], "{folders:?}");
    fetching.model_file = Some("model_int8.onnx".to_owned());
    let error = fetching.fetch("hf://acme/several").expect_err("it is not there").to_string();
    assert!(error.contains("expected model_int8.onnx in it"), "{error}");
}

#[test]
fn a_package_beyond_its_bound_is_refused_before_it_is_fetched() {
    let (server, mut fetching) = hub();
    fetching.settings.bytes_max = 100;
    let error = fetching.refusal(ADDRESS);
    assert!(error.contains("is larger than packages.bytes_max (100 bytes)"), "{error}");
    assert!(server.asked().iter().all(|line| !line.starts_with("/cdn/")));
}
