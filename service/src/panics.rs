//! Panics: those of libraries on malformed input, caught without the report that a panic prints, and what any of them said.
//!
//! A record is input: where a library panics on one, that is an answer about this record, which its caller gives in its
//! own words. The report would come once per record, and suggest in the log that labelstream is broken. Every
//! other panic is reported as before.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Whether this thread is inside of [`catch`].
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Calls `step`; its panic, if any, is returned and nowhere reported.
///
/// What `step` shares with the outside must make sense after a panic in the middle of it.
///
/// # Errors
/// The payload of the panic.
pub fn catch<T>(step: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                report(info);
            }
        }));
    });
    let was_quiet = IS_QUIET.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(step));
    IS_QUIET.set(was_quiet);
    outcome
}

/// What a thread said when it panicked.
pub fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn only_panics_inside_are_kept_from_the_report() {
        let reported = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&reported);
        let thread = std::thread::current().id();
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if std::thread::current().id() == thread {
                count.fetch_add(1, Ordering::Relaxed);
            } else {
                before(info);
            }
        }));
        assert_eq!(catch(|| 7).ok(), Some(7));
        let nested = catch(|| {
            assert!(catch(|| panic!("inner")).is_err());
            panic!("outer")
        });
        let panic: Box<dyn Any + Send> = nested.map(|(): ()| ()).expect_err("it panicked");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"outer"));
        assert_eq!(reported.load(Ordering::Relaxed), 0, "inside");
        assert!(panic::catch_unwind(|| panic!("elsewhere")).is_err());
        assert_eq!(reported.load(Ordering::Relaxed), 1, "outside");
    }
}
