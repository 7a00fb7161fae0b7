//! The two workers, put together from settings: what `classify`, `drift`, `demo` and `check` start.
//!
//! `settings` joins the sections of all parts and checks what two of them must agree on. From its `Config` come the model
//! package as a folder, the output topics, the worker of `classify` and that of `drift`. What the workers do lives in the
//! crates `classifier` and `drift`; commands and their flags in `cli`.

pub mod brokers;
pub mod classify;
pub mod drift;
pub mod error;
pub mod model_source;
pub mod output_topics;
pub mod package_path;
pub mod settings;
