//! Label texts held once each, however many events carry them.

use std::collections::BTreeSet;
use std::sync::Arc;

/// How many texts may be held before unused ones are removed.
const SLACK: usize = 64;

/// A set of texts that are shared out.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts(BTreeSet<Arc<str>>);

impl Texts {
    /// The shared copy of `text`. `holders` is the number of things that hold one: beyond twice as many texts, unused
    /// ones are removed, because a producer may send any number of labels.
    pub(super) fn share(&mut self, text: &str, holders: usize) -> Arc<str> {
        if let Some(held) = self.0.get(text) {
            return Arc::clone(held);
        }
        if self.0.len() > SLACK + 2 * holders {
            self.0.retain(|held| Arc::strong_count(held) > 1);
        }
        let shared: Arc<str> = text.into();
        self.0.insert(Arc::clone(&shared));
        shared
    }
}
