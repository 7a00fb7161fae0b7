//! The limits that counts obey.

/// How many names are kept; the rest is pooled. Observations carry it, so that counts obey the settings they were made
/// under; where two meet, the lesser holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Labels, and models.
    pub(crate) labels_max: u32,
    /// Values per way of slicing.
    pub(crate) slices_max: u32,
}

impl Limits {
    /// No limit yet.
    pub(super) const NONE: Self = Self { labels_max: u32::MAX, slices_max: u32::MAX };

    pub(super) fn least(self, other: Self) -> Self {
        let labels_max = self.labels_max.min(other.labels_max);
        Self { labels_max, slices_max: self.slices_max.min(other.slices_max) }
    }

    pub(super) fn names(self) -> usize {
        self.labels_max as usize
    }

    pub(super) fn slices(self) -> usize {
        self.slices_max as usize
    }
}
