//! devbroker
