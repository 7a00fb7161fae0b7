//! Cuts a padded run out of the rows that wait: a pure function of lengths.
//!
//! Removing padding is nearly everything on a CPU, so rows are sorted by length and a run is cut by a budget on its
//! *padded* size, `longest x count`. The cut is guided: no run is larger than an equal share of what is left, so that all
//! sessions have work at low load and finish together at high load. Of all runs the one with the oldest row goes first. Knows neither threads nor the model.

use std::cmp::Reverse;

/// A run smaller than this is not cut further, tokens. Below it the fixed cost of a run (about a millisecond on a small
/// encoder) outweighs what a second session saves.
const RUN_TOKENS_MIN: usize = 64;

/// Columns of every run are a multiple of this, tokens. ONNX Runtime's matrix kernels take the inner dimension in fours
/// and the rest one by one, so without it a text's scores differ in the last bit with the padding that its run happens to
/// have. 4 costs 3 % more tokens on a stream of mixed lengths, 8 would cost 8 %; `tests/golden.rs` holds that 4 is enough.
const COLUMNS_MULTIPLE: usize = 4;

/// How the runs are cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Padded tokens per run; a single longer row still makes a run of its own.
    pub(crate) tokens_per_run: usize,
    /// Rows per run; 1 for models whose scores depend on the other rows of a run.
    pub(crate) rows_per_run: usize,
    /// Sessions that work at the same time.
    pub(crate) sessions: usize,
    /// Tokens that a row may have; no run has more columns.
    pub(crate) tokens_max: usize,
}

/// One padded run.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    /// Indices into the window, longest row first.
    rows: Vec<usize>,
    /// Tokens of the longest row, rounded up by [`columns`].
    #[cfg(test)]
    columns: usize,
}

/// The columns of a run whose longest row has this many tokens.
pub(crate) fn columns(longest: usize, tokens_max: usize) -> usize {
    longest.next_multiple_of(COLUMNS_MULTIPLE).min(tokens_max).max(longest)
}

/// Cuts rows of these lengths (in tokens) into runs: every row in exactly one run, long rows before short ones.
fn plan(lengths: &[usize], budget: Budget) -> Vec<Run> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|row| (Reverse(lengths[*row]), *row));
    let mut tokens_left: usize = lengths.iter().sum();
    let mut runs = Vec::new();
    let mut rest = order.as_slice();
    while let Some(longest) = rest.first() {
        let columns = columns(lengths[*longest], budget.tokens_max);
        let share = tokens_left.div_ceil(budget.sessions.max(1));
        let tokens = share.max(RUN_TOKENS_MIN).min(budget.tokens_per_run);
        let count = (tokens / columns.max(1)).min(budget.rows_per_run).clamp(1, rest.len());
        let (rows, after) = rest.split_at(count);
        tokens_left -= rows.iter().map(|row| lengths[*row]).sum::<usize>();
        runs.push(Run {
            rows: rows.to_vec(),
            #[cfg(test)]
            columns,
        });
        rest = after;
    }
    runs
}

/// The rows of the next run: of all runs that [`plan`] makes of what waits, the one that holds the row at `oldest`. So
/// padding stays small, and no row waits for longer ones that came after it.
pub(crate) fn cut(lengths: &[usize], oldest: usize, budget: Budget) -> Vec<usize> {
    let mut runs = plan(lengths, budget).into_iter();
    runs.find(|run| run.rows.contains(&oldest)).expect("a plan has every row").rows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn budget(tokens_per_run: usize, rows_per_run: usize, sessions: usize) -> Budget {
        Budget { tokens_per_run, rows_per_run, sessions, tokens_max: 250 }
    }

    proptest! {
        #[test]
        fn every_row_once_within_the_budget_and_the_oldest_in_the_next_run(
            lengths in prop::collection::vec(0..300usize, 0..200),
            tokens in 1..1024usize,
            rows in 1..64usize,
            sessions in 1..9usize,
        ) {
            let runs = plan(&lengths, budget(tokens, rows, sessions));
            let mut seen: Vec<usize> = runs.iter().flat_map(|run| run.rows.clone()).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
            for run in &runs {
                prop_assert!(run.rows.len() <= rows);
                prop_assert!(run.rows.len() == 1 || run.rows.len() * run.columns <= tokens);
                let longest = run.rows.iter().map(|row| lengths[*row]).max().unwrap_or(0);
                prop_assert_eq!(run.columns, columns(longest, 250));
            }
            for oldest in 0..lengths.len() {
                let next = cut(&lengths, oldest, budget(tokens, rows, sessions));
                prop_assert!(next.contains(&oldest));
                prop_assert!(runs.iter().any(|run| run.rows == next));
            }
        }
    }

    #[test]
    fn one_session_gets_full_runs_and_two_share_a_small_window() {
        let lengths = [24; 10];
        assert_eq!(plan(&lengths, budget(512, 512, 1)).len(), 1);
        let two: Vec<usize> = plan(&lengths, budget(512, 512, 2)).iter().map(|run| run.rows.len()).collect();
        assert_eq!(two, [5, 2, 2, 1]);
        assert_eq!(plan(&[32, 32], budget(512, 512, 2)).len(), 1);
    }

    #[test]
    fn columns_are_rounded_up_within_what_a_row_may_have() {
        assert_eq!((columns(0, 30), columns(1, 30), columns(8, 30), columns(9, 30)), (0, 4, 8, 12));
        assert_eq!((columns(29, 30), columns(31, 30)), (30, 31));
    }

    #[test]
    fn a_row_beyond_the_budget_runs_alone() {
        let runs = plan(&[600, 10, 10], budget(512, 512, 1));
        assert_eq!(runs[0].rows, [0]);
        assert_eq!(runs[1].rows, [1, 2]);
        assert!(plan(&[], budget(512, 512, 2)).is_empty());
    }
}
