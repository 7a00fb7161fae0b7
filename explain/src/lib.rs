//! Explains a window: what changed, by how much, since when and in which words, on a terminal or as an HTML file.
//!
//! `search` finds the window among the reports. `page` is a pure function of its rows and those of earlier windows.
//! `terminal` and `html` (with `chart`) render it. `outlook` is the page of a profile. `figures` formats numbers and times,
//! also for other commands. Nothing is tested here: the verdicts are those of the reports.

mod chart;
pub mod figures;
pub mod html;
pub mod outlook;
pub mod page;
pub mod search;
pub mod terminal;
