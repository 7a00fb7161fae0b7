//! `labelstream demo`: the parts of it; they are joined when the pipeline's own parts are there.
#![expect(dead_code, reason = "the command itself comes with `classify`")]

mod error;
mod event;
mod lines;
mod log;
mod messages;
mod pace;
mod reader;
mod record;
mod screen;
mod sender;
mod show;
mod summary;
mod tally;
mod terminal;
mod topics;
mod view;

pub use error::DemoError;
