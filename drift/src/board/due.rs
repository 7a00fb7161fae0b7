//! A window whose turn it is.

use crate::window::Window;

/// A window that is to be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub window: Window,
    pub revision: i32,
    /// No further revision will come for late records.
    pub is_final: bool,
    /// Late records are in it.
    pub(super) with_late: bool,
}
