//! What the drift worker promises, measured: one module a question, one subcommand of `bench-drift` each.

pub mod counting;
pub mod delay;
pub mod draws;
pub mod embedding_null;
pub mod false_positives;
pub mod judge;
pub mod month;
pub mod power;
pub mod test_costs;
