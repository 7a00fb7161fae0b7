//! What the drift worker promises, measured: one module a question, one subcommand of `bench-drift` each.

pub mod draws;
pub mod false_positives;
pub mod test_costs;
