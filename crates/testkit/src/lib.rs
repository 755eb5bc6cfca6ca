//! For tests: the naive oracle, random histories, cases as data. Shares no code with the engine that it judges.

pub mod adds_up;
pub mod cases;
mod crowd;
pub mod history;
pub mod life;
pub mod oracle;
pub mod world;
