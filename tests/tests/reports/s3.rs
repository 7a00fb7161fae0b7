//! A real S3 server: what is written is there, an outage is waited for, and a refusal says what to do.

use std::thread;
use std::time::{Duration, Instant};

use schemas::Recovery;
use sink::reports::{ReportStore, ReportsSettings, Selection, StoreError};

use crate::sample;
use crate::server::{self, open, with_credentials};

#[test]
fn a_report_comes_back_from_a_bucket() {
    with_credentials("s3::a_report_comes_back_from_a_bucket", |s3| {
        let store = open(s3.settings());
        let mut report = sample::hour(1, 50);
        report.model = "acme/intent v2".to_owned();
        let places = store.write(&report).expect("the server runs");
        assert_eq!(
            places[3],
            "s3://reports/team/a/drift/v=1/model=acme%2Fintent%20v2/granularity=PT1H/dt=2026-05-01/w=0100-r0.parquet"
        );
        let mut expected: Vec<_> = places.iter().map(|place| place.replace("s3://reports/", "")).collect();
        expected.sort();
        assert_eq!(s3.keys(), expected, "the keys as other programs see them");
        assert_eq!(store.windows(&Selection::default()).expect("the server runs"), [sample::name(&report)]);
        assert_eq!(store.read(&sample::name(&report)).expect("just written"), report);
        assert_eq!(store.write(&report).expect("the server runs"), places, "again is the same");
        assert_eq!(s3.keys(), expected);
    });
}

#[test]
fn a_large_file_goes_in_parts() {
    with_credentials("s3::a_large_file_goes_in_parts", |s3| {
        let (store, report) = (open(s3.settings()), sample::large());
        store.write(&report).expect("the server runs");
        assert_eq!(store.read(&sample::name(&report)).expect("just written"), report);
        assert_eq!(s3.tags().iter().filter(|tag| tag.contains('-')).count(), 1, "one object was joined from parts");
        assert!(s3.unfinished().is_empty(), "the parts were joined");
    });
}

#[test]
fn an_outage_of_seconds_is_waited_for() {
    with_credentials("s3::an_outage_of_seconds_is_waited_for", |s3| {
        let (store, report) = (open(s3.settings()), sample::hour(2, 10));
        s3.gate.shut();
        let began = Instant::now();
        let places = thread::scope(|scope| {
            let write = scope.spawn(|| store.write(&report));
            thread::sleep(Duration::from_secs(3));
            assert!(!write.is_finished(), "it waits");
            s3.gate.open();
            write.join().expect("no panic").expect("the server is back")
        });
        assert!(began.elapsed() >= Duration::from_secs(3) && places.len() == 4);
        assert_eq!(store.read(&sample::name(&report)).expect("just written"), report);
    });
}

#[test]
fn an_outage_beyond_the_budget_is_an_error_that_says_call_again() {
    with_credentials("s3::an_outage_beyond_the_budget_is_an_error_that_says_call_again", |s3| {
        let brief = ReportsSettings { write_wait_ms: 1500, request_wait_ms: 500, ..s3.settings() };
        let (store, report) = (open(brief.clone()), sample::hour(3, 10));
        s3.gate.shut();
        let began = Instant::now();
        let error = store.write(&report).expect_err("nobody answers");
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        assert_eq!(error.recovery(), Recovery::Retry);
        assert!(matches!(error, StoreError::Unavailable { attempts: 2.., .. }), "{error:?}");
        let unopened = ReportStore::open(&server::config(brief)).expect_err("nobody answers");
        assert_eq!(unopened.recovery(), Recovery::Retry);
        s3.gate.open();
        store.write(&report).expect("the report was kept and the server is back");
    });
}

#[test]
fn a_server_that_holds_a_request_costs_one_attempt() {
    with_credentials("s3::a_server_that_holds_a_request_costs_one_attempt", |s3| {
        let settings = ReportsSettings { request_wait_ms: 1000, ..s3.settings() };
        let (store, report) = (open(settings), sample::large());
        s3.gate.hold_after(6 * 1024 * 1024);
        thread::scope(|scope| {
            let write = scope.spawn(|| store.write(&report));
            s3.gate.await_held();
            assert!(s3.keys().iter().all(|key| !key.contains("words")), "no half file is seen");
            s3.gate.release();
            write.join().expect("no panic").expect("the second attempt passes");
        });
        assert_eq!(store.read(&sample::name(&report)).expect("just written"), report);
    });
}

#[test]
fn a_stop_ends_the_waiting() {
    with_credentials("s3::a_stop_ends_the_waiting", |s3| {
        let store = open(s3.settings());
        s3.gate.shut();
        thread::scope(|scope| {
            let write = scope.spawn(|| store.write(&sample::hour(4, 1)));
            thread::sleep(Duration::from_millis(500));
            let began = Instant::now();
            store.stop();
            write.join().expect("no panic").expect_err("nobody answers");
            assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        });
    });
}

#[test]
fn a_missing_bucket_is_refused_with_advice_and_no_secret_is_shown() {
    with_credentials("s3::a_missing_bucket_is_refused_with_advice_and_no_secret_is_shown", |s3| {
        let settings = ReportsSettings { url: "s3://nothing-here/x".to_owned(), ..s3.settings() };
        let began = Instant::now();
        let error = ReportStore::open(&server::config(settings)).expect_err("there is no such bucket");
        assert!(began.elapsed() < Duration::from_secs(10), "there is nothing to wait for");
        assert_eq!(error.recovery(), Recovery::Exit);
        assert!(error.to_string().contains("there is no such bucket"), "{error}");
        let store = open(s3.settings());
        for text in [format!("{error:?}"), format!("{store:?}"), format!("{:#?}", s3.settings())] {
            assert!(!text.contains("hunter2"), "{text}");
        }
    });
}
