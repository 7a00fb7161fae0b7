//! `models:/`, from an MLflow server of its own: aliases, versions, its refusals, and a stream that is labelled by one.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::names;
use tests::process::{self, Process, labelstream};
use tests::{broker, records, workspace};

use crate::server::{Route, Server};
use crate::{Fetching, label, manifest, tiny_files};

/// The first start imports much: 91 s were seen on two busy cores.
const START: Duration = Duration::from_secs(300);

/// A tracking server with a registry, artifacts included.
struct Mlflow {
    address: SocketAddr,
    process: Process,
    _folder: TempDir,
}

impl Mlflow {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = process::free_port();
        let store = format!("sqlite:///{}", folder.path().join("mlflow.db").display());
        let artifacts = folder.path().join("artifacts").display().to_string();
        let mut command = Command::new(workspace::tool("training/bin/mlflow"));
        command.args(["server", "--host", "127.0.0.1", "--port", &port.to_string(), "--workers", "1"]);
        command.args(["--backend-store-uri", &store, "--artifacts-destination", &artifacts]);
        command.current_dir(folder.path()).process_group(0); // it starts processes of its own
        let process = Process::start(&mut command);
        let own = Self { address: SocketAddr::from(([127, 0, 0, 1], port)), process, _folder: folder };
        let deadline = Instant::now() + START;
        while TcpStream::connect(own.address).is_err() || own.ask("GET", "/health", b"").0 != 200 {
            assert!(Instant::now() < deadline, "MLflow did not start:\n{}", own.process.stderr());
            thread::sleep(Duration::from_millis(200));
        }
        own
    }

    /// Ends it as `kill -9` does, with the processes that it started.
    fn kill(&mut self) {
        let group = format!("-{}", self.process.id());
        Command::new("kill").args(["-KILL", "--", &group]).status().ok(); // they may have ended by themselves
        self.process.kill();
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn ask(&self, method: &str, path: &str, content: &[u8]) -> (u16, String) {
        let Ok(mut stream) = TcpStream::connect(self.address) else { return (0, String::new()) };
        let (host, length) = (self.address, content.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n"
        );
        let mut answer = Vec::new();
        let sent = stream.write_all(&[head.as_bytes(), content].concat());
        sent.and_then(|()| stream.read_to_end(&mut answer)).ok(); // a server that starts may hang up
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    fn get(&self, method: &str) -> Value {
        let (status, answer) = self.ask("GET", &format!("/api/2.0/mlflow/{method}"), b"");
        assert_eq!(status, 200, "{method}: {answer}");
        serde_json::from_str(&answer).unwrap_or(Value::Null)
    }

    fn call(&self, method: &str, content: &Value) -> Value {
        let (status, answer) = self.ask("POST", &format!("/api/2.0/mlflow/{method}"), content.to_string().as_bytes());
        assert_eq!(status, 200, "{method}: {answer}");
        serde_json::from_str(&answer).unwrap_or(Value::Null)
    }

    /// Logs the files of a package as artifacts of a run, and registers them as the next version of a model.
    fn register(&self, model: &str, files: &[(String, Vec<u8>)]) -> String {
        let run = self.run();
        let folder = format!("0/{run}/artifacts/package");
        self.upload(&folder, files);
        self.version(&json!({"name": model, "source": format!("mlflow-artifacts:/{folder}"), "run_id": run}))
    }

    /// A new run of the default experiment.
    fn run(&self) -> String {
        let run = self.call("runs/create", &json!({"experiment_id": "0"}));
        run["run"]["info"]["run_id"].as_str().expect("a run has an id").to_owned()
    }

    fn upload(&self, folder: &str, files: &[(String, Vec<u8>)]) {
        for (name, content) in files {
            let path = format!("/api/2.0/mlflow-artifacts/artifacts/{folder}/{name}");
            let (status, answer) = self.ask("PUT", &path, content);
            assert_eq!(status, 200, "{answer}");
        }
    }

    /// A logged model, as `log_model` of MLflow 3 makes one: its id, and the folder of its artifacts.
    fn logged_model(&self, run: &str, name: &str, files: &[(String, Vec<u8>)]) -> String {
        let made = self.call("logged-models", &json!({"experiment_id": "0", "name": name, "source_run_id": run}));
        let info = &made["model"]["info"];
        let place = info["artifact_uri"].as_str().expect("it has artifacts");
        self.upload(place.strip_prefix("mlflow-artifacts:/").expect("with the server itself"), files);
        info["model_id"].as_str().expect("it has an id").to_owned()
    }

    fn version(&self, content: &Value) -> String {
        let made = self.call("model-versions/create", content);
        made["model_version"]["version"].as_str().expect("a version has a number").to_owned()
    }

    fn alias(&self, model: &str, alias: &str, version: &str) {
        self.call("registered-models/alias", &json!({"name": model, "alias": alias, "version": version}));
    }
}

impl Drop for Mlflow {
    fn drop(&mut self) {
        self.kill();
    }
}

#[test]
fn aliases_and_versions_of_a_real_server() {
    if !workspace::tool("training/bin/mlflow").exists() {
        return workspace::skip_without_tool("aliases_and_versions_of_a_real_server", "training");
    }
    let (mut mlflow, mut fetching) = (Mlflow::start(), Fetching::new());
    fetching.variables.push(("MLFLOW_TRACKING_URI", mlflow.url()));
    mlflow.call("registered-models/create", &json!({"name": "intents"}));
    let mut files = tiny_files("first");
    files.push(manifest(&files));
    files.push(("model-card.html".to_owned(), b"<html>".to_vec()));
    let first = mlflow.register("intents", &files);
    mlflow.alias("intents", "champion", &first);

    let fetched = fetching.fetch("models:/intents@champion").expect("it was registered");
    assert_eq!((label(&fetched).as_str(), fetched.name.as_deref()), ("first", Some("intents")));
    assert_eq!(fetched.resolved.as_ref().expect("it was elsewhere").0, "version 1");
    assert!(!fetched.folder.join("model-card.html").exists(), "what no stream needs stays there");
    let numbered = fetching.fetch("models:/intents/1").expect("it was registered");
    assert_eq!(numbered.folder, fetched.folder);

    let mut files = tiny_files("second");
    files.iter_mut().filter(|(name, _)| name == "model.onnx").for_each(|(name, _)| *name = format!("onnx/{name}"));
    let second = mlflow.register("intents", &files);
    mlflow.alias("intents", "champion", &second);
    let moved = fetching.fetch("models:/intents@champion").expect("it was registered");
    assert_eq!(label(&moved), "second");

    explains_refusals(&mlflow, &fetching.variables);
    labels_a_stream(&mlflow, &fetching);
    mlflow.kill();
    assert_eq!(fetching.fetch("models:/intents@champion").expect("what the server said last"), moved);
    assert_eq!(fetching.fetch("models:/intents/1").expect("a version does not change"), numbered);
    fs::remove_file(numbered.folder.join("config.json")).expect("writable");
    assert!(fetching.fetch("models:/intents/1").expect_err("damaged, and nobody to ask").is_passing());
}

/// What `mlflow.register_model`, `create_model_version` and `copy_model_version` of MLflow 3 write as sources.
#[test]
fn versions_of_runs_and_logged_models_are_fetched_from_a_real_server() {
    let test = "versions_of_runs_and_logged_models_are_fetched_from_a_real_server";
    if !workspace::tool("training/bin/mlflow").exists() {
        return workspace::skip_without_tool(test, "training");
    }
    let (mlflow, mut fetching) = (Mlflow::start(), Fetching::new());
    fetching.variables.push(("MLFLOW_TRACKING_URI", mlflow.url()));
    mlflow.call("registered-models/create", &json!({"name": "intents"}));
    let run = mlflow.run();
    mlflow.upload(&format!("0/{run}/artifacts/models/package"), &tiny_files("of_a_run"));
    mlflow.upload(&format!("0/{run}/artifacts/package"), &tiny_files("of_its_root"));
    let logged = mlflow.logged_model(&run, "logged", &tiny_files("of_a_logged_model"));
    let outputs = json!({"run_id": run, "models": [{"model_id": logged, "step": 0}]});
    mlflow.call("runs/outputs", &outputs);
    for (source, ids, expected) in [
        (format!("runs:/{run}/models/package"), json!({"run_id": run}), "of_a_run"),
        (format!("runs:/{run}/models/package/"), json!({"run_id": run}), "of_a_run"),
        // The artifacts of the run itself, which have a folder `package`.
        (format!("runs:/{run}"), json!({"run_id": run}), "of_its_root"),
        // Not below the run, as MLflow 3 has it: its client looks among the models that the run logged.
        (format!("runs:/{run}/logged"), json!({"run_id": run}), "of_a_logged_model"),
        (format!("models:/{logged}"), json!({"model_id": logged}), "of_a_logged_model"),
        ("models:/intents/1".to_owned(), json!({}), "of_a_run"),
    ] {
        let mut content = json!({"name": "intents", "source": source});
        let ids = ids.as_object().expect("an object").clone();
        content.as_object_mut().expect("an object").extend(ids);
        let version = mlflow.version(&content);
        let kept = mlflow.get(&format!("model-versions/get-download-uri?name=intents&version={version}"));
        println!("{source} is handed out as {}", kept["artifact_uri"]);
        let fetched = fetching.fetch(&format!("models:/intents/{version}"));
        let fetched = fetched.unwrap_or_else(|error| panic!("{source}: {error}"));
        assert_eq!(label(&fetched), expected, "{source}");
        mlflow.alias("intents", "champion", &version);
        assert_eq!(label(&fetching.fetch("models:/intents@champion").expect("the same version")), expected);
    }
    let fresh = Fetching { variables: fetching.variables.clone(), ..Fetching::new() };
    let absent = format!("runs:/{run}/absent");
    let version = mlflow.version(&json!({"name": "intents", "source": absent, "run_id": run}));
    let error = fresh.refusal(&format!("models:/intents/{version}"));
    assert!(error.contains("/artifacts/absent have no files"), "{error}");
}

fn explains_refusals(mlflow: &Mlflow, variables: &[(&'static str, String)]) {
    let fetching = Fetching { variables: variables.to_vec(), ..Fetching::new() };
    let url = mlflow.url();
    for (address, expected) in [
        (
            "models:/intents@challenger",
            format!("{url}/ has the model intents, but no alias challenger of it; it has @champion (version 2)"),
        ),
        ("models:/intents/9", "but no version 9 of it; it has @champion (version 2)".to_owned()),
        ("models:/absent@champion", format!("{url}/ has no model absent; it has intents")),
    ] {
        let error = fetching.refusal(address);
        assert!(error.contains(&expected) && error.contains(address), "expected {expected}, found {error}");
    }
    let mut bad = tiny_files("first");
    let listed = manifest(&bad);
    bad[0].1.push(b' ');
    bad.push(listed);
    mlflow.call("registered-models/create", &json!({"name": "bad"}));
    mlflow.register("bad", &bad);
    let error = fetching.refusal("models:/bad/1");
    assert!(error.contains("config.json is not what labelstream.json promises: expected"), "{error}");

    let nowhere = Fetching::new().refusal("models:/intents/1");
    assert!(nowhere.contains("packages.mlflow_endpoint or MLFLOW_TRACKING_URI"), "{nowhere}");
}

/// `labelstream classify --model models:/intents@champion`, from a record to its label.
fn labels_a_stream(mlflow: &Mlflow, fetching: &Fetching) {
    let broker = broker::devbroker();
    let (input, output) = (names::unique("in"), names::unique("out"));
    let dead_letters = names::unique("dead");
    records::create_topics(&broker.address, &[&input, &output, &dead_letters], 1);
    records::produce(&broker.address, &input, &[records::Record::of(r#"{"text": "good good"}"#)]);
    let mut command = Command::new(labelstream());
    command.args(["classify", "--until-end", "--model", "models:/intents@champion", "--model-cache"]);
    command.arg(fetching.cache()).args(["--brokers", &broker.address, "--input", &input, "--output", &output]);
    command.args(["--dead-letter", &dead_letters, "--set", "http.enabled=false", "--instance", "one"]);
    command.current_dir(workspace::root()).env("MLFLOW_TRACKING_URI", mlflow.url());
    let mut worker = Process::start(&mut command);
    let status = worker.await_exit(Duration::from_secs(120));
    let log = worker.stderr();
    if log.contains("ONNX Runtime") && !status.success() {
        return workspace::skip_without_tool("aliases_and_versions_of_a_real_server", "onnxruntime");
    }
    assert!(status.success(), "{log}");
    worker.assert_quiet_log(&[]);
    assert!(log.contains("models:/intents@champion") && log.contains("version 2"), "{log}");
    let labeled = records::read_committed(&broker.address, &output);
    let event: Value = serde_json::from_slice(labeled[0].payload.as_deref().expect("a label")).expect("JSON");
    assert_eq!((&event["label"], &event["model"]["name"]), (&json!("second"), &json!("intents")), "{event}");
}

/// A stand-in that says where artifacts are, as a server without `--serve-artifacts` does.
#[test]
fn artifacts_behind_the_address_of_a_server_are_taken() {
    let (server, other, mut fetching) = (Server::start(), Server::start(), Fetching::new());
    fetching.variables.push(("MLFLOW_TRACKING_URI", server.url("/")));
    fetching.variables.push(("MLFLOW_TRACKING_TOKEN", "hunter2".to_owned()));
    let files: Vec<Value> = tiny_files("first")
        .iter()
        .map(|(name, content)| json!({"path": name, "is_dir": false, "file_size": content.len()}))
        .collect();
    let proxy = "/api/2.0/mlflow-artifacts/artifacts";
    for (number, holder, expected) in [(1, &server, "Bearer hunter2"), (2, &other, "")] {
        let answer = json!({"artifact_uri": holder.url(&format!("{proxy}/0/r/package"))}).to_string();
        let asked = format!("/api/2.0/mlflow/model-versions/get-download-uri?name=intents&version={number}");
        server.set(&asked, Route::of(answer));
        let listing = json!({"files": files}).to_string();
        holder.set(&format!("{proxy}?path=0%2Fr%2Fpackage"), Route::of(listing));
        for (name, content) in tiny_files("first") {
            holder.set(&format!("{proxy}/0/r/package/{name}"), Route::of(content));
        }
        holder.asked();
        assert_eq!(label(&fetching.fetch(&format!("models:/intents/{number}")).expect("it is there")), "first");
        let asked = holder.asked();
        assert!(asked.iter().all(|line| line.ends_with(expected) && line.contains("hunter2") != expected.is_empty()));
    }
}

#[test]
fn artifacts_in_a_folder_are_taken_and_one_that_is_not_here_is_explained() {
    let (server, mut fetching) = (Server::start(), Fetching::new());
    fetching.variables.push(("MLFLOW_TRACKING_URI", server.url("/")));
    fetching.variables.push(("MLFLOW_TRACKING_USERNAME", "me".to_owned()));
    fetching.variables.push(("MLFLOW_TRACKING_PASSWORD", "hunter2".to_owned()));
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("package")).expect("writable");
    for (name, content) in tiny_files("first") {
        fs::write(folder.path().join("package").join(name), content).expect("writable");
    }
    let stored_in = |place: &str| {
        let answer = json!({"artifact_uri": place}).to_string();
        server.set("/api/2.0/mlflow/model-versions/get-download-uri?name=intents&version=1", Route::of(answer));
    };
    for (place, expected) in [
        ("file:///no/such/folder", "its artifacts are in a folder of the server"),
        ("dbfs:/models/1", "expected artifacts at mlflow-artifacts:, http:, s3: or in a folder, found dbfs:/models/1"),
    ] {
        stored_in(place);
        let error = fetching.refusal("models:/intents/1");
        assert!(error.contains(expected), "expected {expected}, found {error}");
    }
    let (run, run_answer) = ("/api/2.0/mlflow/runs/get?run_id=0123", |uri: &str| {
        Route::of(json!({"run": {"info": {"artifact_uri": uri}, "data": {}}}).to_string())
    });
    for (place, expected) in [
        ("runs:/gone/package", "its source runs:/gone/package cannot be followed at http://"),
        ("models:/m-gone", "its source models:/m-gone cannot be followed at http://"),
        ("models:/../x", "its source models:/../x cannot be followed at http://"),
        ("models:/intents/1", "refers to another source more than 5 times"),
    ] {
        stored_in(place);
        let error = fetching.refusal("models:/intents/1");
        assert!(error.contains(expected), "expected {expected}, found {error}");
    }
    // A run whose artifacts lie in a folder that this machine sees.
    stored_in("runs:/0123/package");
    server.set(run, run_answer(&format!("file://{}", folder.path().display())));
    let of_run = Fetching { variables: fetching.variables.clone(), ..Fetching::new() };
    assert_eq!(label(&of_run.fetch("models:/intents/1").expect("the folder is here")), "first");

    stored_in(&format!("file://{}", folder.path().display()));
    assert_eq!(label(&fetching.fetch("models:/intents/1").expect("the folder is here")), "first");
    // printf me:hunter2 | base64
    assert!(server.asked().iter().all(|line| line.ends_with("Basic bWU6aHVudGVyMg==")));

    let denied = Route { status: 403, body: b"Permission denied".to_vec(), ..Route::default() };
    server.set("/api/2.0/mlflow/registered-models/alias?name=intents&alias=champion", denied);
    let error =
        Fetching { variables: fetching.variables.clone(), ..Fetching::new() }.refusal("models:/intents@champion");
    assert!(error.contains("set MLFLOW_TRACKING_TOKEN") && !error.contains("hunter2"), "{error}");
}
