//! `https://...#sha256=`, from this machine and so without TLS: archives, and folders by their `labelstream.json`.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::server::{Route, Server, sha256};
use crate::{Fetching, label, manifest, tiny_files};

/// A tar file of these entries; a name is written as it is.
fn tar(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        bytes.extend(header.as_bytes());
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).expect("memory");
    gzip.finish().expect("memory")
}

fn zip(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).expect("memory");
        zip.write_all(content).expect("memory");
    }
    zip.finish().expect("memory").into_inner()
}

fn in_folder(files: &[(String, Vec<u8>)]) -> Vec<(String, Vec<u8>)> {
    files.iter().map(|(name, content)| (format!("intents/{name}"), content.clone())).collect()
}

/// Serves a file; its address with its digest comes back.
fn serve(server: &Server, path: &str, content: Vec<u8>) -> String {
    let address = format!("{}#sha256={}", server.url(path), sha256(&content));
    server.set(path, Route::of(content));
    address
}

#[test]
fn archives_of_both_kinds_are_the_same_package_and_are_asked_for_once() {
    let (server, fetching) = (Server::start(), Fetching::new());
    let files = tiny_files("first");
    let tar_gz = serve(&server, "/intents.tar.gz", gzip(&tar(&in_folder(&files))));
    let zip = serve(&server, "/intents.zip", zip(&files));
    let fetched = fetching.fetch(&tar_gz).expect("a good archive");
    assert_eq!((label(&fetched).as_str(), fetched.name.as_deref()), ("first", Some("intents")));
    assert_eq!(fetching.fetch(&zip).expect("a good archive").folder, fetched.folder, "the same content");
    server.go();
    fetching.fetch(&tar_gz).expect("its digest is its name");
    fetching.fetch(&zip).expect("its digest is its name");
}

#[test]
fn an_archive_with_another_digest_is_refused() {
    let (server, fetching) = (Server::start(), Fetching::new());
    let address = serve(&server, "/intents.tar.gz", gzip(&tar(&tiny_files("first"))));
    server.set("/intents.tar.gz", Route::of(gzip(&tar(&tiny_files("second")))));
    let error = fetching.refusal(&address);
    assert!(error.contains("intents.tar.gz is not what its address promises: expected"), "{error}");

    // The checksum of 32 zero bytes that S3 would have stored with the object.
    let address = serve(&server, "/other.zip", zip(&tiny_files("first")));
    let checksum = format!("{}=", "A".repeat(43));
    server.change("/other.zip", |route| route.headers = vec![("x-amz-checksum-sha256", checksum)]);
    let error = fetching.refusal(&address);
    assert!(error.contains("other.zip is not what the bucket promises: expected 0000"), "{error}");
}

#[test]
fn archives_that_lead_out_are_bombs_or_are_no_packages_are_refused() {
    let (server, mut fetching) = (Server::start(), Fetching::new());
    let mut files = tiny_files("first");
    files.push(("../escaped".to_owned(), b"x".to_vec()));
    let error = fetching.refusal(&serve(&server, "/a.tar.gz", gzip(&tar(&files))));
    assert!(error.contains("\"../escaped\" in it points outside the package"), "{error}");
    let error = fetching.refusal(&serve(&server, "/a.zip", zip(&files)));
    assert!(error.contains("points outside the package"), "{error}");

    let only_config = &tiny_files("first")[..1];
    let error = fetching.refusal(&serve(&server, "/b.tar.gz", gzip(&tar(only_config))));
    assert!(error.contains("expected model.onnx or onnx/model.onnx in it, found config.json"), "{error}");
    let error = fetching.refusal(&serve(&server, "/c.tar.gz", b"<html>not found</html>".to_vec()));
    assert!(error.contains("it cannot be read"), "{error}");

    fetching.settings.bytes_max = 100_000;
    let bomb = [("model.onnx".to_owned(), vec![0; 10_000_000])];
    let archive = gzip(&tar(&bomb));
    assert!(archive.len() < 100_000, "the archive itself is small");
    let error = fetching.refusal(&serve(&server, "/d.tar.gz", archive));
    assert!(error.contains("it holds more than 100000 bytes (packages.bytes_max)"), "{error}");
    fetching.settings.bytes_max = 100;
    let error = fetching.refusal(&serve(&server, "/e.zip", zip(&files)));
    assert!(error.contains("is larger than packages.bytes_max (100 bytes)"), "{error}");
}

#[test]
fn a_folder_is_named_by_the_digest_of_its_labelstream_json() {
    let (server, fetching) = (Server::start(), Fetching::new());
    let files = tiny_files("first");
    let (name, content) = manifest(&files);
    let address = serve(&server, &format!("/models/intents/{name}"), content);
    for (name, content) in &files {
        server.set(&format!("/models/intents/{name}"), Route::of(content.clone()));
    }
    server.change("/models/intents/model.onnx", |route| route.body[0] ^= 1);
    let error = fetching.refusal(&address);
    assert!(error.contains("model.onnx is not what labelstream.json promises"), "{error}");
    server.change("/models/intents/model.onnx", |route| route.body[0] ^= 1);
    assert_eq!(label(&fetching.fetch(&address).expect("a good folder")), "first");

    let other = serve(&server, "/labelstream.json", br#"{"files": {"../x": {"sha256": "00"}}}"#.to_vec());
    let error = Fetching::new().refusal(&other);
    assert!(error.contains("\"../x\", which is not a path inside the package"), "{error}");
}

#[test]
fn a_file_that_is_not_there_and_a_circle_of_redirects_are_refused() {
    let (server, fetching) = (Server::start(), Fetching::new());
    let address = |path: &str| format!("{}#sha256={}", server.url(path), "0".repeat(64));
    let error = fetching.refusal(&address("/absent.zip"));
    assert!(error.contains("/absent.zip is expected to have absent.zip: it answers 404"), "{error}");
    let circle = Route { status: 302, headers: vec![("Location", "/a.zip".to_owned())], ..Route::default() };
    server.set("/a.zip", circle);
    let error = fetching.refusal(&address("/a.zip"));
    assert!(error.contains("more than 10 redirects"), "{error}");
    let open = Route { status: 302, headers: vec![("Location", "http://10.0.0.1/a".to_owned())], ..Route::default() };
    server.set("/b.zip", open);
    let error = fetching.refusal(&address("/b.zip"));
    assert!(error.contains("it redirects to http://10.0.0.1/a, which is not https"), "{error}");
}
