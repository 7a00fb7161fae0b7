//! The page of a window: what moved, by how much, since when and in which words, on a terminal or as an HTML file.
//!
//! `search` finds the window among the reports, `page` is a pure function of its rows and those of the windows before it,
//! and `terminal` and `html` (with `chart`) show it. `outlook` is the page of a profile. `figures` writes numbers and times as
//! people read them, for other commands too. Nothing is tested again here: verdicts are the reports'.

mod chart;
pub mod figures;
pub mod html;
pub mod outlook;
pub mod page;
pub mod search;
pub mod terminal;
